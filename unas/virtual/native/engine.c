/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 1 << 12, FIRST_INSTRUCTIONS = 1 << 11 };
#define CORE_SKIPPED UINT64_MAX    /* by an IT block */
static const uint32_t NOTHING = 0; /* no instruction has this key */

size_t engine_bytes(void) { return sizeof(engine); }
size_t engine_block_bytes(void) { return sizeof(engine_block); }
size_t engine_insn_bytes(void) { return sizeof(core_insn); }
size_t engine_table_bytes(void) { return sizeof(core_table); }
size_t engine_state_bytes(void) { return sizeof(core_state); }

/* The blocks that are known
 * ----------------------------------------------------------------------------
 */

static uint32_t slot_of(uint32_t address, uint32_t mask) {
  /* Fibonacci hashing: blocks start at even addresses close to each other. */
  return (address * 2654435769u >> 8) & mask;
}

static engine_block **blocks_find(engine_block **blocks, uint32_t mask, uint32_t address, uint32_t size) {
  uint32_t slot = slot_of(address, mask);
  while (blocks[slot] != NULL && (blocks[slot]->address != address || blocks[slot]->size != size))
    slot = (slot + 1) & mask;
  return &blocks[slot];
}

static int blocks_grow(engine *self) {
  uint32_t mask = self->mask * 2 + 1;
  engine_block **blocks = calloc((size_t)mask + 1, sizeof *blocks);
  if (blocks == NULL)
    return -1;
  for (uint32_t i = 0; i <= self->mask; i++) {
    engine_block *old = self->blocks[i];
    if (old != NULL)
      *blocks_find(blocks, mask, old->address, old->size) = old;
  }
  free(self->blocks);
  self->blocks = blocks;
  self->mask = mask;
  return 0;
}

static int seen_reserve(engine *self, uint32_t count) {
  if (count <= self->seen_capacity)
    return 0;
  uint64_t *seen = realloc(self->seen, count * sizeof *seen);
  if (seen == NULL)
    return -1;
  self->seen = seen;
  self->seen_capacity = count;
  return 0;
}

int engine_teach(engine *self, const engine_block *facts, const core_insn *insns,
                 const engine_place *places) {
  uint32_t count = facts->count;
  if (2 * self->used > self->mask && blocks_grow(self) != 0)
    return -1;
  engine_block *block = malloc(
      sizeof *block + count * (sizeof *insns + sizeof *places + sizeof *block->keys) + sizeof *block->keys);
  if (block == NULL || seen_reserve(self, count) != 0) {
    free(block);
    return -1;
  }
  *block = *facts;
  block->insns = (core_insn *)(block + 1);
  block->places = (engine_place *)(block->insns + count);
  block->keys = (uint32_t *)(block->places + count);
  memcpy(block->insns, insns, count * sizeof *insns);
  memcpy(block->places, places, count * sizeof *places);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t plain =
        insns[i].access == CORE_NO_ACCESS && !(insns[i].traits & (CORE_CONDITIONAL | CORE_WATCHED));
    block->keys[i] = insns[i].address | !plain;
  }
  block->keys[count] = 0;
  *blocks_find(self->blocks, self->mask, facts->address, facts->size) = block;
  self->used++;
  return 0;
}

void engine_translated(engine *self, uint32_t address, uint32_t size, uint32_t light) {
  engine_block *block = *blocks_find(self->blocks, self->mask, address, size);
  if (block == NULL)
    return;
  block->light = light;
  if (!light)
    block->entry_count = ENGINE_HEAVY;
}

/* Running a block through the model
 * -------------------------------------------------------------------- */

static uint32_t engine_cursor(const engine *self) { return (uint32_t)(self->next - self->pending->keys); }

static uint64_t light_address(const engine *self, const engine_place *place) {
  uint32_t address = (uint32_t)place->offset;
  if (place->base != ENGINE_NOWHERE)
    address += self->entry[place->base];
  if (place->index != ENGINE_NOWHERE)
    address += self->entry[place->index];
  return address;
}

/* Runs what Unicorn has executed of the block, up to instruction number `end`,
 * through the core's model. */
static void engine_run(engine *self, uint32_t end) {
  const engine_block *block = self->pending;
  if (end <= self->done)
    return;
  for (uint32_t i = self->done; block->light && i < end; i++)
    if (block->insns[i].access != CORE_NO_ACCESS)
      self->seen[i] = light_address(self, &block->places[i]);
  if (block->light && self->table->core == CORE_M7 && self->done == 0 && end == block->count)
    m7_run_block(self->state, self->table, self->bus, &self->pending->memo, block->insns, self->seen, end);
  else
    self->run(self->state, self->table, self->bus, &block->insns[self->done], &self->seen[self->done],
              end - self->done);
  self->done = end;
}

/* Instructions of the pending block before `pc`. */
static uint32_t engine_before(const engine *self, uint32_t pc) {
  const engine_block *block = self->pending;
  uint32_t count = 0;
  while (count < block->count && block->insns[count].address < pc)
    count++;
  return count;
}

void engine_sync(engine *self) {
  engine_block *block = self->pending;
  if (block == NULL)
    return;
  if (!block->light) {
    engine_run(self, engine_cursor(self));
  } else { /* it never did so before: this once, it is the time of the block's begin */
    self->translate(block->address, block->size, 0);
    self->limit = 0;
  }
}

int64_t engine_now(engine *self) {
  engine_sync(self);
  return self->state->now - self->origin;
}

void engine_pass(engine *self, int64_t cycles) {
  engine_sync(self);
  if (cycles > 0)
    self->state->now += cycles;
  else
    self->origin -= cycles;
}

/* Whether a condition holds; ARMv7-M ARM A7.3. Bits 31..28 of APSR: N, Z, C, V.
 */
static uint32_t condition_holds(uint32_t condition, uint32_t apsr) {
  uint32_t n = apsr >> 31 & 1, z = apsr >> 30 & 1, c = apsr >> 29 & 1, v = apsr >> 28 & 1, holds = 1;
  switch (condition >> 1) {
  case 0:
    holds = z;
    break;
  case 1:
    holds = c;
    break;
  case 2:
    holds = n;
    break;
  case 3:
    holds = v;
    break;
  case 4:
    holds = c && !z;
    break;
  case 5:
    holds = n == v;
    break;
  case 6:
    holds = !z && n == v;
    break;
  default:
    return 1;
  }
  return holds ^ (condition & 1);
}

static uint32_t engine_taken(engine *self, uc_engine *uc, const core_insn *last, uint32_t next) {
  if (last->branch != CORE_BRANCH_COND || next != last->address + last->bytes)
    return 1;
  if (!(last->traits & CORE_NEXT_IS_TARGET))
    return 0;
  uint32_t value = 0;
  self->read(uc, last->base, &value); /* the flags, or CBZ's register; a branch changes neither */
  if (last->condition >= CORE_IF_ZERO)
    return (value == 0) == (last->condition == CORE_IF_ZERO);
  return condition_holds(last->condition, value);
}

static uint32_t engine_width(engine *self, uc_engine *uc, uint32_t address) {
  uint8_t code[2] = {0, 0};
  self->peek(uc, address, code, sizeof code);
  return code[1] >> 3 >= 0x1D ? 4 : 2;
}

/* The pending block led to `next`, which is known or not. */
static void engine_finish(engine *self, uint32_t next, const engine_block *known) {
  const engine_block *block = self->pending;
  uint32_t cursor = block->light ? block->count : engine_cursor(self), complete = cursor;
  while (complete < block->count && (block->insns[complete].traits & CORE_CONDITIONAL))
    complete++;
  if (complete == block->count) {
    while (cursor < complete)
      self->seen[cursor++] = CORE_SKIPPED;
    engine_run(self, complete);
    const core_insn *last = &block->insns[block->count - 1];
    uint32_t left_out = (last->traits & CORE_CONDITIONAL) && self->seen[block->count - 1] == CORE_SKIPPED;
    uint32_t taken = last->branch != CORE_NO_BRANCH && !left_out && engine_taken(self, self->uc, last, next);
    uint32_t bytes = !taken || self->table->core != CORE_M4 ? 2
                     : known != NULL                        ? known->insns[0].bytes
                                                            : engine_width(self, self->uc, next);
    self->edge(self->state, self->table, last, taken, next, bytes);
    self->expected = taken ? next : last->address + last->bytes;
  } else { /* Unicorn was stopped in its middle */
    self->instructions -= block->count - cursor;
    engine_run(self, cursor);
    self->expected = block->insns[cursor].address;
  }
  self->pending = NULL;
}

void engine_settle(engine *self, uint32_t pc) {
  const engine_block *block = self->pending;
  if (block == NULL)
    return;
  if (pc - block->address >= block->size) {
    engine_finish(self, pc, NULL);
    return;
  }
  uint32_t done = engine_before(self, pc);
  if (!block->light && done > engine_cursor(self))
    done = engine_cursor(self);
  self->instructions -= block->count - done;
  engine_run(self, done);
  self->expected = pc;
  self->pending = NULL;
}

/* Unicorn's callbacks
 * ----------------------------------------------------------------------------------
 */

void engine_on_block(uc_engine *uc, uint64_t address, uint32_t size, void *user) {
  engine *self = user;
  engine_block *block = self->pending;
  if (block == NULL || block->address != (uint32_t)address || block->size != size)
    block = *blocks_find(self->blocks, self->mask, (uint32_t)address, size);
  if (self->pending != NULL)
    engine_finish(self, (uint32_t)address, block);
  /* Unicorn does not execute the block in whose callback it is stopped. */
  if (self->instructions >= self->limit || (uint64_t)(self->state->now - self->origin) >= self->cycle_limit) {
    self->stop(uc);
    return;
  }
  if (block == NULL) {
    if (self->learn((uint32_t)address, size) != 0) {
      self->stop(uc);
      return;
    }
    block = *blocks_find(self->blocks, self->mask, (uint32_t)address, size);
  }
  if (!block->light && block->entry_count != ENGINE_HEAVY && self->translate != NULL &&
      block->runs++ == ENGINE_LIGHTEN) {
    self->translate((uint32_t)address, size, 1);
    self->stop(uc);
    return;
  }
  if (self->expected != (uint32_t)address) /* an exception, a return from one, a reset, the debugger */
    self->edge(self->state, self->table, NULL, 1, (uint32_t)address, 2);
  self->pending = block;
  self->visit_address = (uint32_t)address;
  self->visit_size = size;
  self->next = block->light ? &NOTHING : block->keys;
  if (block->light)
    self->read_all(uc, block->entry, self->entry_places, (int)block->entry_count);
  self->done = 0;
  self->instructions += block->count;
}

/* Where the architecture has peripherals; ARMv7-M ARM B3.1. */
static uint32_t is_peripheral(uint32_t address) { return address >> 29 == 2 || address >> 29 == 7; }

static uint64_t engine_address(engine *self, uc_engine *uc, const core_insn *insn) {
  uint32_t base = 0, index = 0;
  if (insn->base != 0)
    self->read(uc, insn->base, &base);
  if (insn->index != 0)
    self->read(uc, insn->index, &index);
  if (insn->access == CORE_DIVIDE)
    return (uint64_t)index << 32 | base;
  uint32_t address = base + (index << insn->shift) + (uint32_t)insn->offset;
  if (is_peripheral(address))
    self->pending->entry_count = ENGINE_HEAVY;
  return address;
}

/* An instruction of which more must be known than that it was executed, or one
 * that was not expected. */
static void engine_look(engine *self, uc_engine *uc, uint32_t address) {
  const engine_block *block = self->pending;
  if (block == NULL || block->light) /* light, but Unicorn had to translate it once more */
    return;
  uint32_t cursor = engine_cursor(self);
  while (cursor < block->count && block->insns[cursor].address != address)
    self->seen[cursor++] = CORE_SKIPPED;
  self->next = &block->keys[cursor];
  if (cursor == block->count) /* code that was rewritten since it was learnt */
    return;
  const core_insn *insn = &block->insns[cursor];
  if (insn->traits & CORE_WATCHED)
    self->alert(address);
  self->seen[cursor] = insn->access == CORE_NO_ACCESS ? 0 : engine_address(self, uc, insn);
  self->next++;
}

void engine_on_code(uc_engine *uc, uint64_t address, uint32_t size, void *user) {
  engine *self = user;
  (void)size;
  if (*self->next == (uint32_t)address)
    self->next++;
  else
    engine_look(self, uc, (uint32_t)address);
}

int engine_open(engine *self, const core_table *table) {
  memset(self, 0, sizeof *self);
  self->blocks = calloc(FIRST_CAPACITY, sizeof(engine_block *));
  self->mask = FIRST_CAPACITY - 1;
  self->state = calloc(1, sizeof *self->state);
  self->table = table;
  self->next = &NOTHING;
  for (uint32_t i = 0; i < ENGINE_ENTRY; i++)
    self->entry_places[i] = &self->entry[i];
  self->run = table->core == CORE_M4 ? m4_run : m7_run;
  self->edge = table->core == CORE_M4 ? m4_edge : m7_edge;
  if (self->blocks == NULL || self->state == NULL || seen_reserve(self, FIRST_INSTRUCTIONS) != 0) {
    engine_close(self);
    return -1;
  }
  return 0;
}

void engine_close(engine *self) {
  for (uint32_t i = 0; self->blocks != NULL && i <= self->mask; i++) {
    if (self->blocks[i] != NULL)
      m7_forget(self->blocks[i]->memo);
    free(self->blocks[i]);
  }
  free(self->blocks);
  free(self->state);
  free(self->seen);
  self->blocks = NULL;
  self->state = NULL;
  self->seen = NULL;
}
