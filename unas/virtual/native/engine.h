/* SPDX-License-Identifier: Apache-2.0 */
/* Unicorn's callbacks for the modes with a pipeline: they note which
 * instructions run and what they address, and hand each basic block to the
 * core's model when it is known where it leads. timing/engine.py mirrors
 * `engine`. */
#ifndef UNAS_ENGINE_H
#define UNAS_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "core.h"

typedef struct uc_struct uc_engine;

enum { ENGINE_ENTRY = 8, ENGINE_HEAVY = 0xFF, ENGINE_NOWHERE = 0xFF, ENGINE_LIGHTEN = 64 };

/* An address as a sum of what two registers held when the block was entered:
 * places in engine_block.entry, or ENGINE_NOWHERE, and a constant. */
typedef struct {
  uint8_t base, index;
  int32_t offset;
} engine_place;

/* A basic block. Its addresses are known in one of two ways. Heavy: Unicorn
 * calls engine_on_code before each instruction; this is always right. Light:
 * all addresses follow from registers on entry, and Unicorn has translated the block anew without those
 * calls. Blocks that use peripherals stay heavy: these want to know the time of an access, and Unicorn does
 * not say which instruction it is. */
typedef struct {
  uint32_t address, size;
  uint32_t count;
  uint32_t entry_count;    /* registers to read on entry; ENGINE_HEAVY: it is not
                              so simple */
  int entry[ENGINE_ENTRY]; /* Unicorn's numbers of them */
  uint32_t runs;           /* entered so many times while heavy */
  uint32_t light;
  core_memo *memo; /* NULL: nothing yet */
  core_insn *insns;
  engine_place *places; /* of each instruction's access */
  uint32_t *keys;       /* of each instruction: its address; + 1 if more than its
                           place in the order matters */
} engine_block;

typedef int (*engine_stop_function)(uc_engine *uc);
typedef int (*engine_read_function)(uc_engine *uc, int reg, void *value);
typedef int (*engine_read_all_function)(uc_engine *uc, int *regs, void **values, int count);
typedef int (*engine_memory_function)(uc_engine *uc, uint64_t address, void *bytes, size_t size);
/* Asks Python for a block's instructions; 0: it called engine_teach. */
typedef int (*engine_learn_function)(uint32_t address, uint32_t size);
/* Asks Python to have a block translated anew, without calls (light) or with them; the machine is stopped. */
typedef void (*engine_translate_function)(uint32_t address, uint32_t size, uint32_t light);
/* Tells Python that an instruction with CORE_WATCHED is about to run. */
typedef void (*engine_alert_function)(uint32_t address);

typedef struct {
  uint64_t instructions;
  uint64_t limit;       /* stop before the first block that would start with this many
                           instructions done */
  uint64_t cycle_limit; /* the same for cycles: when the next thing happens
                           around the core */
  int64_t origin;       /* cycle 0 as the machine counts */
  core_state *state;
  const core_table *table;
  memory *bus;           /* NULL: ideal */
  engine_block *pending; /* runs now; NULL: none */
  const uint32_t *next;  /* key of the instruction that is expected; behind the
                            last one: 0 */
  uint32_t done;         /* instructions of it that were run through the core's model */
  uint64_t *seen;        /* per instruction: see core_run */
  uint32_t seen_capacity;
  uint32_t mask, used;
  engine_block **blocks; /* open addressing, linear probing, at most half full */
  engine_stop_function stop;
  engine_read_function read;
  engine_read_all_function read_all;
  engine_memory_function peek;
  engine_learn_function learn;
  engine_alert_function alert;
  engine_translate_function translate; /* NULL: all blocks stay heavy */
  uc_engine *uc;
  core_run run;
  core_edge edge;
  uint32_t expected;                /* where the next block starts, if nothing comes between */
  void *entry_places[ENGINE_ENTRY]; /* of what follows */
  uint32_t entry[ENGINE_ENTRY];     /* the pending block's registers on entry, if it
                                       is light */

  uint32_t visit_address, visit_size; /* of the block that was entered last */
} engine;

size_t engine_bytes(void);
size_t engine_insn_bytes(void);
size_t engine_block_bytes(void);
size_t engine_table_bytes(void);
size_t engine_state_bytes(void);
int engine_open(engine *self, const core_table *table);
void engine_close(engine *self);
/* `facts` gives address, size, count and the registers on entry. */
int engine_teach(engine *self, const engine_block *facts, const core_insn *insns, const engine_place *places);
/* It was done. A block that became heavy again stays so. */
void engine_translated(engine *self, uint32_t address, uint32_t size, uint32_t light);
void engine_on_block(uc_engine *uc, uint64_t address, uint32_t size, void *user);
void engine_on_code(uc_engine *uc, uint64_t address, uint32_t size, void *user);
/* Runs what was executed so far through the model. */
void engine_sync(engine *self);
int64_t engine_now(engine *self);               /* cycles up to there */
void engine_pass(engine *self, int64_t cycles); /* time goes by without instructions */
/* Nothing from `pc` on was executed; what is before it was. */
void engine_settle(engine *self, uint32_t pc);

#endif
