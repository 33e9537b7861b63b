/* SPDX-License-Identifier: Apache-2.0 */
/* Cortex-M7: in order, two instructions a cycle. The rules and their sources
 * stand in timing/cortex_m7.py; "older" is the first instruction of a pair. */
#include <string.h>

#include "core_m7.h"

enum { EPOCH_CYCLES = 1 << 28 };

static int32_t later(int32_t a, int32_t b) { return a > b ? a : b; }

/* First cycle in which all operands may be read. */
static inline int32_t m7_operands(const core_state *state, const core_insn *insn) {
  const int32_t *legal = &state->legal[0][0];
  return later(later(legal[insn->sources[0]], legal[insn->sources[1]]),
               later(legal[insn->sources[2]], legal[insn->sources[3]]));
}

/* Whether all operands are there so early that the early ALU can take them. */
static inline uint32_t m7_is_early(const core_state *state, const core_table *table, const core_insn *insn,
                                   int32_t issue) {
  for (uint32_t i = 0; i < CORE_SOURCES; i++) {
    uint32_t reg = insn->sources[i] / CORE_ROLES;
    if (reg != CORE_FLAGS && state->legal[reg][table->early_role] > issue)
      return 0;
  }
  return 1;
}

static inline void m7_write(core_state *state, const core_table *table, uint32_t reg, uint32_t kind,
                            int32_t when) {
  int32_t *legal = state->legal[reg];
  const int32_t *distance = table->distance[kind];
  for (uint32_t role = 0; role < CORE_ROLES; role++)
    legal[role] = when + distance[role];
}

/* A multiple load fills two registers a cycle, the lowest first. */
static void m7_write_multiple(core_state *state, const core_table *table, const core_insn *insn,
                              int32_t issue, int32_t delay) {
  uint64_t left = insn->result_mask;
  for (int32_t done = 0; left != 0; done++, left &= left - 1)
    m7_write(state, table, (uint32_t)__builtin_ctzll(left), insn->kind[0], issue + done / 2 + delay);
}

/* Stores that keep their bank busy for long wait in a queue; the core waits
 * when it is full. */
static int32_t m7_queue_store(core_state *state, const core_table *table, uint64_t address, int32_t now,
                              int32_t busy) {
  int32_t *done = &state->store_done[state->store_next++ % table->store_queue];
  int32_t *bank = &state->bank_done[address >> 2 & 1];
  int32_t wait = later(*done - now, 0);
  *bank = later(*bank, now + wait) + busy;
  *done = *bank;
  return wait;
}

static uint32_t m7_ask(const m7_path *path, uint32_t kind, uint32_t address, uint32_t width, int64_t now) {
  if (kind == M7_FETCH)
    return memory_fetch(path->bus, address, (uint64_t)now);
  return kind == M7_LOAD ? memory_load(path->bus, address, width, (uint64_t)now)
                         : memory_store(path->bus, address, width, (uint64_t)now);
}

/* What memory answers; `first` is the address that the event's is counted from, in cycle `when`. */
static int32_t m7_memory(m7_path *path, const core_state *state, m7_event event, uint32_t first,
                         uint32_t width) {
  if (path->done < path->known)
    return ++path->done == path->known ? (int32_t)path->last_answer : 0;
  uint32_t wait = m7_ask(path, event.kind, first + event.address, width, state->epoch + event.when);
  path->waits |= wait;
  if (path->record != NULL && path->recorded < path->capacity) {
    event.when -= path->begin;
    path->record[path->recorded] = event;
  }
  path->recorded++;
  return (int32_t)wait;
}

/* Cycles for which a store holds up the core. */
static int32_t m7_store(core_state *state, const core_table *table, m7_path *path, const core_insn *insn,
                        uint32_t number, int32_t issue, uint64_t seen) {
  int32_t wait = 0;
  uint32_t unaligned = (seen & (insn->width - 1u)) != 0;
  uint32_t busy = unaligned ? table->unaligned_store : insn->width < 4 ? table->narrow_store : 0;
  if (busy != 0)
    wait = m7_queue_store(state, table, seen, issue, (int32_t)busy);
  for (uint32_t word = 0; path->bus != NULL && word < insn->words; word++) {
    m7_event event = {M7_STORE, (uint16_t)number, 4 * word, issue + wait};
    wait += m7_memory(path, state, event, (uint32_t)seen, insn->width);
  }
  return wait;
}

/* Cycles by which what is loaded comes late. */
static int32_t m7_load(const core_state *state, m7_path *path, const core_insn *insn, uint32_t number,
                       int32_t issue, uint64_t seen) {
  int32_t delay = 0;
  for (uint32_t word = 0; path->bus != NULL && word < insn->words; word++) {
    m7_event event = {M7_LOAD, (uint16_t)number, 4 * word, issue};
    delay = later(delay, m7_memory(path, state, event, (uint32_t)seen, insn->width));
  }
  return delay;
}

static int32_t m7_fetch(core_state *state, const core_table *table, m7_path *path, const core_insn *insn,
                        int32_t when) {
  uint32_t last = insn->address + insn->bytes - 1, piece = last >> table->piece_shift;
  if (piece == state->fetch_piece)
    return when;
  if (insn->address >> table->piece_shift != state->fetch_piece)
    when += m7_memory(path, state, (m7_event){M7_FETCH, 0, insn->address, when}, 0, 4);
  if (insn->address >> table->piece_shift != piece)
    when += m7_memory(path, state, (m7_event){M7_FETCH, 0, last, when}, 0, 4);
  state->fetch_piece = piece;
  return when;
}

/* The instruction slots, while a stretch of code is run. */
typedef struct {
  int32_t now;             /* cycle of the latest issue */
  uint32_t slot_free;      /* for a younger instruction in it */
  uint32_t group, address; /* of the older one */
} m7_slots;

static inline uint32_t m7_pairs(const m7_slots *slots, const core_table *table, const core_insn *insn,
                                uint64_t seen) {
  if (!slots->slot_free || !table->pairs[slots->group][insn->group])
    return 0;
  /* Two loads need two banks: even and odd words. */
  return insn->group != table->load_group || slots->group != table->load_group ||
         ((slots->address ^ (uint32_t)seen) & 4) != 0;
}

/* Cycles that a load, a store or a divide holds the issue for beyond those that
 * its operation does. */
static int32_t m7_occupation(const core_table *table, const core_insn *insn, uint64_t seen,
                             uint32_t younger) {
  if (insn->access == CORE_DIVIDE)
    return (uint32_t)seen == 0 || seen >> 32 == 0 ? (int32_t)table->divide_zero - insn->cycles : 0;
  int32_t more = 0;
  if (insn->access == CORE_LOAD && insn->group == table->load_group && (seen & (insn->width - 1u)) != 0)
    more = (int32_t)(younger ? table->unaligned_younger : table->unaligned_older);
  if (insn->traits & CORE_UNCOMPRESSED)
    more += (int32_t)table->uncompressed_multiple;
  if (insn->access == CORE_STORE && insn->words > 1 && insn->words % 2 == 0 && (seen & 7) != 0)
    more += (int32_t)table->unaligned_store_multiple;
  return more;
}

static inline void m7_results(core_state *state, const core_table *table, const core_insn *insn,
                              uint32_t early, int32_t issue, int32_t delay) {
  if (insn->result_count == 0 && insn->result_mask != 0)
    m7_write_multiple(state, table, insn, issue, delay);
  for (uint32_t i = 0; i < insn->result_count; i++) {
    uint32_t kind = early && insn->result[i] != CORE_FLAGS ? table->early_kind : insn->kind[i];
    m7_write(state, table, insn->result[i], kind, issue + (i == 0 ? delay : 0));
  }
  if (insn->traits & CORE_SETS_FLAGS)
    state->flags_at = issue;
  if (insn->traits & CORE_FP_MAC)
    state->fp_shadow = issue + 1 + (int32_t)table->fp_mac_shadow;
}

/* The earliest issue of an instruction that would be the younger one or not. */
static inline int32_t m7_issue(core_state *state, const core_table *table, m7_path *path,
                               const core_insn *insn, int32_t first) {
  int32_t issue = later(first, m7_operands(state, insn));
  issue = later(issue, state->blocked);
  if (insn->traits & CORE_FP_SHADOWED)
    issue = later(issue, state->fp_shadow);
  if (table->fetch_shift != 0) /* code behind a taken branch comes in piece by piece */
    issue = later(issue, state->fetched + (int32_t)((insn->address + insn->bytes - 1 - state->fetch_origin) >>
                                                    table->fetch_shift));
  return path->bus == NULL ? issue : m7_fetch(state, table, path, insn, issue);
}

static inline __attribute__((always_inline)) void m7_step(core_state *state, const core_table *table,
                                                          m7_path *path, const core_insn *insn,
                                                          uint32_t number, uint64_t seen, m7_slots *slots) {
  uint32_t skipped = (insn->traits & CORE_CONDITIONAL) && seen == CORE_SKIPPED;
  uint32_t younger = m7_pairs(slots, table, insn, seen);
  int32_t issue = m7_issue(state, table, path, insn, slots->now + !younger);
  younger = younger && issue == slots->now;
  int32_t more = insn->cycles - 1, delay = more;
  if (!skipped && insn->access != CORE_NO_ACCESS) {
    more += m7_occupation(table, insn, seen, younger);
    delay = insn->access == CORE_DIVIDE || (insn->access == CORE_LOAD && insn->words <= 2) ? more : 0;
    if (insn->access == CORE_LOAD)
      delay += m7_load(state, path, insn, number, issue, seen);
    else if (insn->access == CORE_STORE)
      more += m7_store(state, table, path, insn, number, issue, seen);
  }
  if (!skipped) {
    uint32_t possible = insn->traits & (younger ? CORE_EARLY_ANY : CORE_EARLY);
    m7_results(state, table, insn, possible && m7_is_early(state, table, insn, issue), issue, delay);
  }
  *slots = (m7_slots){issue + more, !younger && more <= 0, insn->group, (uint32_t)seen};
  state->narrow += insn->bytes == 2;
}

void m7_rules(core_state *state, const core_table *table, m7_path *path, const core_insn *insns,
              const uint64_t *seen, uint32_t count) {
  m7_slots slots = {(int32_t)(state->now - state->epoch), state->slot_free, state->older_group,
                    state->older_address};
  for (uint32_t i = 0; i < count; i++)
    m7_step(state, table, path, &insns[i], i, seen[i], &slots);
  state->now = state->epoch + slots.now;
  state->slot_free = slots.slot_free;
  state->older_group = slots.group;
  state->older_address = slots.address;
}

void m7_run(core_state *state, const core_table *table, memory *bus, const core_insn *insns,
            const uint64_t *seen, uint32_t count) {
  m7_path path = {.bus = bus};
  m7_rules(state, table, &path, insns, seen, count);
}

static uint32_t slot_of(uint32_t address, uint32_t size) { return (address >> 1) % size; }

/* Two-bit counters, first set by the direction of the branch, as the core
 * guesses without history. */
static uint32_t m7_predict(core_state *state, const core_insn *branch, uint32_t taken) {
  uint8_t *entry = &state->predictor[slot_of(branch->address, CORE_PREDICTOR)];
  uint32_t counter = *entry == 0 ? ((branch->traits & CORE_BACKWARD) ? 2 : 1) : *entry - 1u;
  uint32_t wrong = (counter >= 2) != taken;
  if (taken && counter < 3)
    counter++;
  if (!taken && counter > 0)
    counter--;
  *entry = (uint8_t)(counter + 1);
  return wrong;
}

static uint32_t m7_penalty(core_state *state, const core_table *table, const core_insn *branch,
                           uint32_t taken, uint32_t target) {
  if (branch->branch == CORE_BRANCH_COND && m7_predict(state, branch, taken)) {
    int32_t age = (int32_t)(state->now - state->epoch) - state->flags_at;
    return age >= (int32_t)table->early_flags_distance && branch->condition < CORE_ALWAYS
               ? table->mispredict_early_flags
               : table->mispredict;
  }
  if (branch->branch == CORE_BRANCH_INDIRECT || branch->branch == CORE_BRANCH_TABLE) {
    uint32_t *known = &state->targets[slot_of(branch->address, CORE_TARGETS)];
    uint32_t wrong = *known != target;
    *known = target;
    return wrong ? table->indirect_mispredict : 0;
  }
  return 0;
}

/* 32-bit times must not overflow: count them from now on. What is older than
 * now is as good as now. */
static void m7_begin_epoch(core_state *state) {
  int32_t passed = (int32_t)(state->now - state->epoch);
  int32_t *times[] = {&state->blocked, &state->fp_shadow, &state->fetched, &state->flags_at};
  for (uint32_t i = 0; i < sizeof times / sizeof *times; i++)
    *times[i] -= passed;
  for (uint32_t reg = 0; reg < CORE_REGISTERS; reg++)
    for (uint32_t role = 0; role < CORE_ROLES; role++)
      state->legal[reg][role] = later(state->legal[reg][role], passed) - passed;
  for (uint32_t i = 0; i < CORE_STORE_QUEUE; i++)
    state->store_done[i] = later(state->store_done[i], passed) - passed;
  for (uint32_t bank = 0; bank < 2; bank++)
    state->bank_done[bank] = later(state->bank_done[bank], passed) - passed;
  state->flags_at = later(state->flags_at, -EPOCH_CYCLES);
  state->epoch = state->now;
}

void m7_edge(core_state *state, const core_table *table, const core_insn *last, uint32_t taken,
             uint32_t target, uint32_t target_bytes) {
  (void)target_bytes;
  if (state->now - state->epoch > EPOCH_CYCLES)
    m7_begin_epoch(state);
  int32_t now = (int32_t)(state->now - state->epoch);
  int32_t penalty = last == NULL ? 0 : (int32_t)m7_penalty(state, table, last, taken, target);
  if (penalty != 0) {
    state->blocked = now + 1 + penalty;
    state->slot_free = 0;
  }
  if (!taken)
    return;
  uint32_t first = target >> table->fetch_shift << table->fetch_shift;
  uint32_t joins =
      table->pair_over_taken && last != NULL && state->slot_free && first == target && state->narrow >= 2;
  state->slot_free = joins;
  state->fetched = joins ? now : now + 1 + penalty;
  state->fetch_origin = first;
  state->narrow = 0;
}
