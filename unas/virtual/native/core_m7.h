/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the Cortex-M7's model: the rules (core_m7.c), and what is remembered of them (m7_memo.c). */
#ifndef UNAS_CORE_M7_H
#define UNAS_CORE_M7_H

#include "core.h"

enum { M7_FETCH, M7_LOAD, M7_STORE };

/* One question to the memory system. */
typedef struct {
  uint16_t kind, insn; /* number of the instruction in its stretch of code */
  uint32_t
      address;  /* of a fetch; of a load or a store how far it lies behind the first one of the instruction */
  int32_t when; /* after the cycle in which the stretch began */
} m7_event;

/* The way to memory. The first `known` questions were asked before: all but the last of them had the answer
 * 0. */
typedef struct {
  memory *bus;
  uint32_t done, known, last_answer;
  m7_event *record; /* NULL: nobody wants to know */
  uint32_t recorded, capacity;
  uint32_t waits; /* an answer was not 0 */
  int32_t begin;
} m7_path;

void m7_rules(core_state *state, const core_table *table, m7_path *path, const core_insn *insns,
              const uint64_t *seen, uint32_t count);

#endif
