/* SPDX-License-Identifier: Apache-2.0 */
/* Cortex-M4: one instruction after the other, with what loads, stores and
 * branches hide or add. The rules and their sources stand in
 * timing/cortex_m4.py. */
#include <string.h>

#include "core.h"

static uint32_t bits_of(uint32_t value) { return value == 0 ? 0 : 32u - (uint32_t)__builtin_clz(value); }

static uint32_t magnitude(uint32_t value, uint32_t is_signed) {
  return is_signed && (int32_t)value < 0 ? 0u - value : value;
}

/* Early-out of SDIV and UDIV. Source: the measurement quoted in
 * timing/cortex_m4.py (DIVIDE). */
static uint32_t m4_divide(uint64_t seen, uint32_t is_signed) {
  uint32_t numerator = magnitude((uint32_t)seen, is_signed);
  uint32_t denominator = magnitude((uint32_t)(seen >> 32), is_signed);
  if (numerator == 0 || denominator == 0)
    return 2;
  uint32_t n = bits_of(numerator), d = bits_of(denominator);
  return n < d ? 3 : 5 + (n - d) / 4;
}

static uint32_t m4_block(const core_table *table, uint32_t address) {
  uint32_t block = 0;
  while (block < table->block_count && table->block_starts[block] <= address)
    block++;
  return block;
}

/* Whether a load or store follows a load so closely that it costs a cycle less.
 */
static uint32_t m4_pipelines(const core_state *state, const core_table *table, const core_insn *insn,
                             uint32_t block) {
  uint32_t same_base = table->same_base_breaks &&
                       (insn->traits & state->previous_traits & CORE_WRITES_BASE) != 0 &&
                       insn->base == state->previous_base;
  uint32_t crooked = insn->bytes == 4 && (insn->address & 2) != 0;
  return state->previous_group == M4_LOAD && block == state->previous_block && !same_base && !crooked &&
         (insn->address_mask & state->previous_loaded) == 0;
}

static uint32_t m4_load(const core_state *state, const core_table *table, const core_insn *insn,
                        uint64_t seen, uint32_t block) {
  uint32_t cost = m4_pipelines(state, table, insn, block) ? 1 : 2;
  if (state->previous_group == M4_STORE && !(state->previous_traits & CORE_REGISTER_OFFSET))
    cost++; /* a store is not pipelined with a load behind it */
  if (insn->width > 1 && (seen & 1) != 0)
    cost += insn->width == 2 ? table->load_unaligned_half : table->load_unaligned_byte;
  else if (insn->width == 4 && (seen & 2) != 0)
    cost += table->load_unaligned_half;
  return cost + insn->cycles; /* of LDR PC, more */
}

static uint32_t m4_store(const core_state *state, const core_table *table, const core_insn *insn,
                         uint32_t block) {
  uint32_t behind_load = m4_pipelines(state, table, insn, block);
  if (insn->traits & CORE_REGISTER_OFFSET)
    return behind_load ? 1 : 2;
  return behind_load && table->store_fills_load ? 0 : 1;
}

static uint32_t m4_fp(core_state *state, const core_insn *insn) {
  int64_t start = state->now;
  if (state->busy > start)
    start = state->busy;
  if ((state->previous_fp & insn->operand_mask) != 0)
    start++;
  if (insn->traits & CORE_FP_ITERATIVE) {
    state->busy = start + insn->cycles;
    return (uint32_t)(start + 1 - state->now);
  }
  return (uint32_t)(start + insn->cycles - state->now);
}

static uint32_t m4_cost(core_state *state, const core_table *table, const core_insn *insn, uint64_t seen,
                        uint32_t block) {
  switch (insn->group) {
  case M4_NOP: /* takes the place that a load or a store with register offset
                  leaves */
    return state->previous_group == M4_LOAD ||
                   (state->previous_group == M4_STORE && (state->previous_traits & CORE_REGISTER_OFFSET))
               ? 0
               : 1;
  case M4_IT:
    return state->previous_bytes == 2 ? 0 : 1;
  case M4_LOAD:
    return m4_load(state, table, insn, seen, block);
  case M4_STORE:
    return m4_store(state, table, insn, block);
  case M4_LOAD_MULTIPLE:
    return insn->cycles + (state->previous_group == M4_STORE ? 1u : 0u);
  case M4_DIVIDE:
    return m4_divide(seen, insn->traits & CORE_SIGNED);
  case M4_FP:
    return m4_fp(state, insn);
  default:
    return insn->cycles;
  }
}

/* `cost` of the instruction itself: fetch catches up during one of many cycles.
 */
static uint32_t m4_wide(core_state *state, const core_table *table, const core_insn *insn, uint32_t cost) {
  if (insn->bytes != 4 || (insn->address & 2) == 0) {
    state->wide_run = state->wide_stores = state->wide_paid = 0;
    return 0;
  }
  state->wide_run++;
  state->wide_stores += insn->access == CORE_STORE;
  uint32_t least = state->wide_stores == state->wide_run ? table->wide_store_group : table->wide_group;
  uint32_t more = least != 0 && !state->wide_paid && state->wide_run >= least;
  state->wide_paid |= more;
  if (cost > 1)
    state->wide_run = state->wide_stores = state->wide_paid = 0;
  return more;
}

static void m4_access(core_state *state, memory *bus, const core_insn *insn, uint64_t seen) {
  for (uint32_t word = 0; word < insn->words; word++) {
    uint32_t address = (uint32_t)seen + 4 * word;
    if (insn->access == CORE_LOAD)
      state->now += memory_load(bus, address, insn->width, (uint64_t)state->now);
    else
      state->now += memory_store(bus, address, insn->width, (uint64_t)state->now);
  }
}

static void m4_fetch(core_state *state, const core_table *table, memory *bus, const core_insn *insn) {
  uint32_t last = insn->address + insn->bytes - 1;
  if (last >> table->piece_shift == state->fetch_piece)
    return;
  if (insn->address >> table->piece_shift != state->fetch_piece)
    state->now += memory_fetch(bus, insn->address, (uint64_t)state->now);
  if ((insn->address ^ last) >> table->piece_shift != 0)
    state->now += memory_fetch(bus, last, (uint64_t)state->now);
  state->fetch_piece = last >> table->piece_shift;
}

static void m4_remember(core_state *state, const core_insn *insn, uint32_t block, uint32_t skipped) {
  uint64_t results = skipped ? 0 : insn->result_mask;
  uint64_t base = insn->access != CORE_NO_ACCESS ? insn->address_mask & insn->result_mask : 0;
  uint32_t loads = insn->access == CORE_LOAD;
  state->previous_group = skipped ? M4_PLAIN : insn->group;
  state->previous_bytes = insn->bytes;
  state->previous_traits = insn->traits;
  state->previous_base = insn->base;
  state->previous_block = block;
  state->previous_loaded = loads ? results & ~(insn->traits & CORE_WRITES_BASE ? base : 0) : 0;
  state->previous_computed = insn->access == CORE_NO_ACCESS || insn->access == CORE_DIVIDE ? results : 0;
  state->previous_fp = insn->traits & CORE_FP ? results : 0;
}

static inline void m4_step(core_state *state, const core_table *table, memory *bus, const core_insn *insn,
                           uint64_t seen) {
  uint32_t skipped = (insn->traits & CORE_CONDITIONAL) && seen == CORE_SKIPPED;
  uint32_t touches = insn->access == CORE_LOAD || insn->access == CORE_STORE;
  uint32_t block = touches ? m4_block(table, (uint32_t)seen) : 0;
  uint32_t cost = skipped ? 1 : m4_cost(state, table, insn, seen, block);
  cost += m4_wide(state, table, insn, cost);
  /* No forwarding from a result to the address of what follows it at once
   * (TRM 3.3.3). */
  if (!skipped && (insn->address_mask & state->previous_computed) != 0)
    cost++;
  if (bus != NULL)
    m4_fetch(state, table, bus, insn);
  if (bus != NULL && touches && !skipped)
    m4_access(state, bus, insn, seen);
  state->now += cost;
  m4_remember(state, insn, block, skipped);
}

void m4_run(core_state *state, const core_table *table, memory *bus, const core_insn *insns,
            const uint64_t *seen, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    m4_step(state, table, bus, &insns[i], seen[i]);
}

void m4_edge(core_state *state, const core_table *table, const core_insn *last, uint32_t taken,
             uint32_t target, uint32_t target_bytes) {
  if (!taken)
    return;
  state->wide_run = state->wide_stores = state->wide_paid = 0;
  state->fetch_piece = UINT32_MAX;
  if (last == NULL) {
    state->previous_group = M4_PLAIN;
    state->previous_computed = state->previous_fp = 0;
    return;
  }
  uint32_t direct = last->branch == CORE_BRANCH_COND || last->branch == CORE_BRANCH_DIRECT;
  state->now += direct ? table->refill : table->refill_indirect;
  if (target_bytes == 4 && (target & 2) != 0)
    state->now += table->refill_wide;
}
