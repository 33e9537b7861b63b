/* SPDX-License-Identifier: Apache-2.0 */
/* Core timing: what the pipelines of a Cortex-M4 and a Cortex-M7 make of a
 * stream of decoded instructions. Facts about instructions come from Python
 * (unas/virtual/timing), decoded once a basic block; facts about a processor
 * come as a core_table, data with the source beside each row. These files hold
 * the rules only, and no time but in core cycles. timing/layout.py mirrors
 * every structure here, field by field. */
#ifndef UNAS_CORE_H
#define UNAS_CORE_H

#include <stdint.h>

#include "memory.h"

enum {
  CORE_REGISTERS = 64, /* 0..15 R0..PC, 16 APSR, 32..63 S0..S31 */
  CORE_FLAGS = 16,
  CORE_NO_REGISTER = 17, /* never written: fills up the operands */
  CORE_FIRST_SINGLE = 32,
  CORE_ROLES = 8, /* what an operand is to the instruction that reads it */
  CORE_KINDS = 16,
  CORE_GROUPS = 20,
  CORE_SOURCES = 4,
  CORE_RESULTS = 3,
  CORE_PREDICTOR = 1 << 15, /* two-bit counters, found by address; more than
                               branches in a firmware */
  CORE_TARGETS = 256,
  CORE_STORE_QUEUE = 8,
  CORE_BLOCKS = 16
};

enum { CORE_M4 = 4, CORE_M7 = 7 };

/* core_insn.access */
enum { CORE_NO_ACCESS, CORE_LOAD, CORE_STORE, CORE_DIVIDE };

/* core_insn.branch */
enum {
  CORE_NO_BRANCH,
  CORE_BRANCH_COND,     /* B<cond>, CBZ, CBNZ */
  CORE_BRANCH_DIRECT,   /* B, BL */
  CORE_BRANCH_RETURN,   /* BX LR, POP {PC}: the return stack knows */
  CORE_BRANCH_INDIRECT, /* BX, BLX, MOV PC, LDR PC */
  CORE_BRANCH_TABLE     /* TBB, TBH */
};

/* core_insn.traits */
enum {
  CORE_CONDITIONAL = 1,      /* in an IT block: may be skipped */
  CORE_EARLY = 2,            /* M7: may execute in the early ALU from the older slot */
  CORE_EARLY_ANY = 4,        /* M7: and from the younger one */
  CORE_SETS_FLAGS = 8,       /* to be told how old the flags are when a branch is resolved */
  CORE_UNCOMPRESSED = 16,    /* M7: multiple transfer without two 16-bit instructions near it */
  CORE_WRITES_BASE = 32,     /* M4: pre- or post-indexed */
  CORE_REGISTER_OFFSET = 64, /* M4: base and index registers */
  CORE_LITERAL = 128,        /* the address is a constant: offset */
  CORE_NEXT_IS_TARGET = 256, /* a branch to what follows it: only its condition
                                tells if it is taken */
  CORE_FP = 512,
  CORE_FP_MAC = 1024,
  CORE_FP_SHADOWED = 2048,  /* M7: not for some cycles behind a floating-point MAC */
  CORE_FP_ITERATIVE = 4096, /* VDIV, VSQRT */
  CORE_SIGNED = 16384,      /* a signed division */
  CORE_WATCHED = 32768,     /* Python wants to know before it runs */
  CORE_BACKWARD = 8192      /* a branch to a lower address */
};

/* core_insn.condition: that of the architecture, or */
enum { CORE_ALWAYS = 15, CORE_IF_ZERO = 16, CORE_IF_NOT_ZERO = 17 }; /* CBZ, CBNZ of register `base` */

/* core_insn.group on the M4; on the M7 groups index core_table.pairs and have
 * no names here */
enum {
  M4_PLAIN, /* cycles, as they stand */
  M4_NOP,
  M4_IT,
  M4_LOAD,
  M4_STORE,
  M4_DOUBLE, /* LDRD, STRD */
  M4_LOAD_MULTIPLE,
  M4_STORE_MULTIPLE,
  M4_DIVIDE,
  M4_FP
};

/* One instruction. */
typedef struct {
  uint64_t address_mask, result_mask, operand_mask; /* registers; operands without a MAC's addend */
  uint32_t address;
  uint32_t traits;
  int32_t base, index; /* Unicorn's register numbers, of a divide its operands; 0: none */
  int32_t offset;      /* to add to the base, or the address itself (CORE_LITERAL) */
  uint8_t shift;       /* of the index */
  uint8_t bytes, access, width, words;
  uint8_t branch, condition, group;
  uint8_t cycles; /* it occupies issue for so long */
  uint8_t result_count;
  uint16_t sources[CORE_SOURCES]; /* register * CORE_ROLES + role */
  uint8_t result[CORE_RESULTS], kind[CORE_RESULTS];
} core_insn;

/* Facts about one processor. Which fields each of the two reads is said in
 * timing/cortex_m4.py, cortex_m7.py.
 */
typedef struct {
  uint32_t core;
  uint32_t piece_shift; /* code is fetched in pieces of 2^n bytes */
  /* M7: cycles from the issue of what writes a result to that of what reads it
   * as an operand of that role */
  int32_t distance[CORE_KINDS][CORE_ROLES];
  uint8_t pairs[CORE_GROUPS][CORE_GROUPS]; /* [older][younger]: may issue together */
  uint32_t load_group;
  uint32_t early_kind; /* of results from the early ALU */
  uint32_t early_role; /* an operand there */
  uint32_t mispredict, mispredict_early_flags, early_flags_distance, indirect_mispredict;
  uint32_t unaligned_older, unaligned_younger;
  uint32_t fp_mac_shadow;
  uint32_t uncompressed_multiple, unaligned_store_multiple;
  uint32_t divide_zero;                   /* cycles if an operand is zero */
  uint32_t fetch_shift;                   /* 2^n bytes of code a cycle behind a taken branch; 0:
                                             no limit */
  uint32_t pair_over_taken;               /* a taken branch pairs with one instruction at its
                                             target */
  uint32_t narrow_store, unaligned_store; /* cycles of such a store in its bank
                                             of the TCM; 0: as a word */
  uint32_t store_queue;                   /* stores that wait for their bank */
  /* M4 */
  uint32_t refill, refill_indirect, refill_wide;
  uint32_t load_unaligned_half, load_unaligned_byte;
  uint32_t wide_group, wide_store_group; /* this many 32-bit instructions at odd
                                            halfwords cost one more */
  uint32_t store_fills_load, same_base_breaks;
  uint32_t block_count, block_starts[CORE_BLOCKS]; /* memories that loads are
                                                      not pipelined across */
} core_table;

/* What a core remembers; flat, so that it can be kept and put back with memcpy.
 * Times are absolute. */
typedef struct {
  int64_t now;                               /* M7: cycle in which the latest instruction issued. M4: first
                                                cycle that is free */
  int64_t epoch;                             /* M7: all 32-bit times count from here */
  int32_t legal[CORE_REGISTERS][CORE_ROLES]; /* M7: the first cycle in which it may be read */
  int64_t busy;                              /* M4: floating point, until then */
  int32_t blocked;                           /* M7: no issue before */
  int32_t fp_shadow;                         /* M7: nor of what may not follow a floating-point MAC */
  int32_t fetched;                           /* M7: cycle in which the first piece of code behind a taken
                                                branch is there */
  int32_t flags_at;                          /* M7: issue of the latest flag setter */
  int32_t store_done[CORE_STORE_QUEUE], bank_done[2];
  uint32_t fetch_origin, fetch_piece; /* where that is; the piece that was asked for last */
  uint32_t slot_free;                 /* M7: the younger slot of cycle `now` */
  uint32_t older_group, older_address;
  uint32_t narrow; /* 16-bit instructions since the latest taken branch, up to 2 */
  uint32_t store_next;
  /* M4: the previous instruction */
  uint64_t previous_loaded, previous_computed, previous_fp;
  uint32_t previous_group, previous_bytes, previous_traits, previous_block;
  int32_t previous_base;
  uint32_t wide_run, wide_stores, wide_paid;
  /* branches */
  uint32_t targets[CORE_TARGETS];
  uint8_t predictor[CORE_PREDICTOR]; /* 0: never seen; else 1 + two-bit counter */
} core_state;

#define CORE_SKIPPED UINT64_MAX /* by an IT block */

/* Runs instructions that were executed one after the other. `seen` has for each
 * of them the address of its access, or a divide's operands (numerator low),
 * or, if it is conditional, maybe CORE_SKIPPED. */
typedef void (*core_run)(core_state *state, const core_table *table, memory *bus, const core_insn *insns,
                         const uint64_t *seen, uint32_t count);
/* After a block's last instruction, when it is known where it leads. No `last`:
 * the core goes on at `target` for another reason. */
typedef void (*core_edge)(core_state *state, const core_table *table, const core_insn *last, uint32_t taken,
                          uint32_t target, uint32_t target_bytes);

void m4_run(core_state *state, const core_table *table, memory *bus, const core_insn *insns,
            const uint64_t *seen, uint32_t count);
void m4_edge(core_state *state, const core_table *table, const core_insn *last, uint32_t taken,
             uint32_t target, uint32_t target_bytes);
void m7_run(core_state *state, const core_table *table, memory *bus, const core_insn *insns,
            const uint64_t *seen, uint32_t count);
/* The same for a whole block with nothing conditional in it, of which something may be remembered in *memo.
 */
typedef struct core_memo core_memo;
void m7_run_block(core_state *state, const core_table *table, memory *bus, core_memo **memo,
                  const core_insn *insns, const uint64_t *seen, uint32_t count);
void m7_forget(core_memo *memo);
void m7_edge(core_state *state, const core_table *table, const core_insn *last, uint32_t taken,
             uint32_t target, uint32_t target_bytes);

#endif
