/* SPDX-License-Identifier: Apache-2.0 */
/* What core_m7.c made of a block before. The rules see the past of a core only through a few small numbers:
 * in how many cycles the operands of the block may be read, what is in the older slot, when code comes in.
 * Where these are the same, and so are the banks of all accesses, and no memory waits, the block takes the
 * same cycles and leaves the same registers late. All of them make the key; if memory waits after all, the
 * rules run. */
#include <stdlib.h>
#include <string.h>

#include "core_m7.h"

enum {
  SETS = 8,
  MOST_ACCESSES = 32,
  MOST_OPERANDS = 32,
  MOST_RESULTS = 24,
  MOST_EVENTS = 96,
  NEAR = 15,
  EARLY_ENOUGH = -2
};

typedef struct {
  uint64_t front, banks, operands[2];
} memo_key;

typedef struct {
  memo_key key;
  int32_t cycles, flags_at; /* after the block's begin; flags_at -1: not set */
  uint32_t slot_free, older_group, fetch_piece;
  uint32_t events;
  int32_t rows[MOST_RESULTS][CORE_ROLES]; /* of results: when they may be read, after the block's begin */
  m7_event event[];
} memo_entry;

struct core_memo {
  uint32_t operand_count, result_count, access_count, narrow, useless;
  uint16_t operands[MOST_OPERANDS]; /* register * CORE_ROLES + role, not written in the block before */
  uint8_t results[MOST_RESULTS];
  uint16_t accesses[MOST_ACCESSES];
  memo_entry *sets[SETS];
};

static int add_operand(core_memo *memo, uint64_t written, uint32_t operand) {
  uint32_t reg = operand / CORE_ROLES;
  if (reg == CORE_NO_REGISTER || (written >> reg & 1))
    return 0;
  for (uint32_t i = 0; i < memo->operand_count; i++)
    if (memo->operands[i] == operand)
      return 0;
  if (memo->operand_count == MOST_OPERANDS)
    return -1;
  memo->operands[memo->operand_count++] = (uint16_t)operand;
  return 0;
}

static int add_results(core_memo *memo, uint64_t written) {
  for (; written != 0; written &= written - 1) {
    if (memo->result_count == MOST_RESULTS)
      return -1;
    memo->results[memo->result_count++] = (uint8_t)__builtin_ctzll(written);
  }
  return 0;
}

/* What matters of the past, and what the block leaves; -1: too much of it, or things that a key does not
 * hold. */
static int memo_survey(core_memo *memo, const core_table *table, const core_insn *insns, uint32_t count) {
  uint64_t written = 0;
  for (uint32_t i = 0; i < count; i++) {
    const core_insn *insn = &insns[i];
    if ((insn->traits & (CORE_CONDITIONAL | CORE_FP_SHADOWED | CORE_FP_MAC)) || insn->access == CORE_DIVIDE)
      return -1;
    for (uint32_t k = 0; k < CORE_SOURCES; k++) {
      uint32_t reg = insn->sources[k] / CORE_ROLES;
      if (add_operand(memo, written, insn->sources[k]) != 0 ||
          ((insn->traits & CORE_EARLY) && reg != CORE_FLAGS &&
           add_operand(memo, written, reg * CORE_ROLES + table->early_role) != 0))
        return -1;
    }
    if (insn->access != CORE_NO_ACCESS) {
      if (memo->access_count == MOST_ACCESSES)
        return -1;
      memo->accesses[memo->access_count++] = (uint16_t)i;
    }
    written |= insn->result_mask;
    memo->narrow += insn->bytes == 2;
  }
  return add_results(memo, written);
}

static core_memo *memo_open(const core_table *table, const core_insn *insns, uint32_t count) {
  core_memo *memo = calloc(1, sizeof *memo);
  if (memo != NULL)
    memo->useless = table->narrow_store != 0 || memo_survey(memo, table, insns, count) != 0;
  return memo;
}

void m7_forget(core_memo *memo) {
  for (uint32_t i = 0; memo != NULL && i < SETS; i++)
    free(memo->sets[i]);
  free(memo);
}

/* -1: something lies too far in the future for a key. */
static int memo_make_key(const core_memo *memo, const core_state *state, const core_table *table,
                         const core_insn *insns, const uint64_t *seen, memo_key *key) {
  int32_t now = (int32_t)(state->now - state->epoch);
  int32_t code =
      state->fetched - now +
      (int32_t)((insns[0].address >> table->fetch_shift) - (state->fetch_origin >> table->fetch_shift));
  /* Code comes in at least as fast as it is executed: what is early by two cycles never holds it up. */
  code = table->fetch_shift == 0 || code < EARLY_ENOUGH ? 0 : code - EARLY_ENOUGH;
  int32_t blocked = state->blocked > now ? state->blocked - now : 0;
  int32_t far = code | blocked;
  uint32_t bank = state->older_group == table->load_group ? state->older_address >> 2 & 1 : 0;
  uint32_t same = insns[0].address >> table->piece_shift == state->fetch_piece;
  key->front = (uint64_t)state->older_group | (uint64_t)bank << 8 | (uint64_t)state->slot_free << 9 |
               (uint64_t)same << 10 | (uint64_t)(uint32_t)code << 16 | (uint64_t)(uint32_t)blocked << 32;
  uint64_t banks = 0, crooked = 0;
  for (uint32_t i = 0; i < memo->access_count; i++) {
    uint64_t address = seen[memo->accesses[i]];
    const core_insn *insn = &insns[memo->accesses[i]];
    banks |= (address >> 2 & 1) << i;
    crooked |= address & (insn->words > 1 ? 3 : insn->width - 1u);
  }
  key->banks = banks;
  key->operands[0] = key->operands[1] = 0;
  const int32_t *legal = &state->legal[0][0];
  for (uint32_t i = 0; i < memo->operand_count; i++) {
    int32_t wait = legal[memo->operands[i]] - now;
    wait = wait > 0 ? wait : 0;
    far |= wait;
    key->operands[i / 16] |= (uint64_t)(uint32_t)wait << 4 * (i % 16);
  }
  return far > NEAR || crooked != 0 ? -1 : 0;
}

static memo_entry **memo_set(core_memo *memo, const memo_key *key) {
  uint64_t mix = (key->front * 0x9E3779B97F4A7C15u) ^ key->banks ^ (key->operands[0] * 0xC2B2AE3D27D4EB4Fu) ^
                 key->operands[1];
  return &memo->sets[(mix ^ mix >> 29 ^ mix >> 47) % SETS];
}

/* Number of the first event that waits, and for how long; or the number of all events. */
static uint32_t memo_events(const memo_entry *entry, const core_state *state, memory *bus,
                            const core_insn *insns, const uint64_t *seen, uint32_t *wait) {
  uint64_t begin = (uint64_t)state->now;
  *wait = 0;
  for (uint32_t i = 0; i < entry->events; i++) {
    const m7_event *event = &entry->event[i];
    uint64_t when = begin + (uint64_t)(int64_t)event->when;
    if (event->kind == M7_FETCH) {
      *wait = memory_fetch(bus, event->address, when);
    } else {
      uint32_t address = (uint32_t)seen[event->insn] + event->address, width = insns[event->insn].width;
      *wait = event->kind == M7_LOAD ? memory_load(bus, address, width, when)
                                     : memory_store(bus, address, width, when);
    }
    if (*wait != 0)
      return i;
  }
  return entry->events;
}

static void memo_apply(const core_memo *memo, const memo_entry *entry, core_state *state,
                       uint64_t last_seen) {
  int32_t begin = (int32_t)(state->now - state->epoch);
  for (uint32_t i = 0; i < memo->result_count; i++)
    for (uint32_t role = 0; role < CORE_ROLES; role++)
      state->legal[memo->results[i]][role] = begin + entry->rows[i][role];
  if (entry->flags_at >= 0)
    state->flags_at = begin + entry->flags_at;
  state->now += entry->cycles;
  state->slot_free = entry->slot_free;
  state->older_group = entry->older_group;
  state->older_address = (uint32_t)last_seen;
  state->fetch_piece = entry->fetch_piece;
  state->narrow += memo->narrow;
}

static void memo_learn(const core_memo *memo, memo_entry **set, const memo_key *key, core_state *state,
                       const core_table *table, memory *bus, const core_insn *insns, const uint64_t *seen,
                       uint32_t count) {
  m7_event events[MOST_EVENTS];
  int32_t begin = (int32_t)(state->now - state->epoch), flags_before = state->flags_at;
  m7_path path = {.bus = bus, .record = events, .capacity = MOST_EVENTS, .begin = begin};
  state->flags_at = INT32_MIN;
  m7_rules(state, table, &path, insns, seen, count);
  int32_t flags_at = state->flags_at == INT32_MIN ? -1 : state->flags_at - begin;
  if (flags_at < 0)
    state->flags_at = flags_before;
  if (path.waits != 0 || path.recorded > MOST_EVENTS)
    return;
  memo_entry *entry = malloc(sizeof *entry + path.recorded * sizeof *events);
  if (entry == NULL)
    return;
  *entry = (memo_entry){*key,
                        (int32_t)(state->now - state->epoch) - begin,
                        flags_at,
                        state->slot_free,
                        state->older_group,
                        state->fetch_piece,
                        path.recorded,
                        {{0}}};
  for (uint32_t i = 0; i < memo->result_count; i++)
    for (uint32_t role = 0; role < CORE_ROLES; role++)
      entry->rows[i][role] = state->legal[memo->results[i]][role] - begin;
  memcpy(entry->event, events, path.recorded * sizeof *events);
  free(*set);
  *set = entry;
}

void m7_run_block(core_state *state, const core_table *table, memory *bus, core_memo **place,
                  const core_insn *insns, const uint64_t *seen, uint32_t count) {
  core_memo *memo = *place;
  if (memo == NULL)
    memo = *place = memo_open(table, insns, count);
  memo_key key;
  if (memo == NULL || memo->useless || memo_make_key(memo, state, table, insns, seen, &key) != 0) {
    m7_run(state, table, bus, insns, seen, count);
    return;
  }
  memo_entry **set = memo_set(memo, &key);
  const memo_entry *entry = *set;
  if (entry == NULL || memcmp(&entry->key, &key, sizeof key) != 0) {
    memo_learn(memo, set, &key, state, table, bus, insns, seen, count);
    return;
  }
  uint32_t wait = 0, asked = bus == NULL ? entry->events : memo_events(entry, state, bus, insns, seen, &wait);
  if (asked == entry->events) {
    memo_apply(memo, entry, state, seen[count - 1]);
    return;
  }
  /* The rules, with what memory has answered so far; they go on asking behind that. */
  m7_path path = {.bus = bus, .known = asked + 1, .last_answer = wait};
  m7_rules(state, table, &path, insns, seen, count);
}
