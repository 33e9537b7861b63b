/* SPDX-License-Identifier: Apache-2.0 */
/* Unicorn's block callback of the timing mode "instructions": one cycle an instruction.
 * How many instructions a block has comes from Python, once, when the block is first seen; so this file knows
 * nothing of them, and the pure Python counter beside it (counters.py) gives the same sums. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct uc_struct uc_engine;
typedef int (*stop_function)(uc_engine *engine);
typedef int (*size_function)(uint32_t address,
                             uint32_t size); /* instructions of a block; -1: stop before it */

typedef struct {
  uint32_t address, size; /* size 0: free, no block is empty */
  uint32_t instructions;
} block_cost;

/* Shared with Python: counters.py mirrors both structures, field by field. */
typedef struct {
  uint64_t instructions, cycles;
  uint64_t limit;         /* stop before the first block that would start with this many instructions done */
  uint64_t cycle_limit;   /* the same for cycles: when the next thing happens around the core */
  const block_cost *last; /* the block that was entered last; never NULL */
  stop_function stop;
  size_function count;
  block_cost *table; /* open addressing, linear probing, at most half full */
  uint32_t mask, used;
} counter;

enum { FIRST_CAPACITY = 1 << 14 };

static uint32_t slot_of(uint32_t address, uint32_t mask) {
  /* Fibonacci hashing: blocks start at even addresses close to each other. */
  return (address * 2654435769u >> 8) & mask;
}

static block_cost *table_find(block_cost *table, uint32_t mask, uint32_t address, uint32_t size) {
  uint32_t slot = slot_of(address, mask);
  while (table[slot].size != 0 && (table[slot].address != address || table[slot].size != size))
    slot = (slot + 1) & mask;
  return &table[slot];
}

static int table_grow(counter *self) {
  uint32_t mask = self->mask * 2 + 1;
  block_cost *table = calloc((size_t)mask + 1, sizeof *table);
  if (table == NULL)
    return -1;
  for (uint32_t i = 0; i <= self->mask; i++) {
    const block_cost *old = &self->table[i];
    if (old->size != 0)
      *table_find(table, mask, old->address, old->size) = *old;
  }
  self->last = table_find(table, mask, self->last->address, self->last->size);
  free(self->table);
  self->table = table;
  self->mask = mask;
  return 0;
}

/* The first visit of a block: ask Python, remember the answer. NULL stops the machine. */
static const block_cost *counter_learn(counter *self, uint32_t address, uint32_t size) {
  int instructions = self->count(address, size);
  if (instructions < 0)
    return NULL;
  if (2 * self->used > self->mask && table_grow(self) != 0)
    return NULL;
  block_cost *entry = table_find(self->table, self->mask, address, size);
  *entry = (block_cost){address, size, (uint32_t)instructions};
  self->used++;
  return entry;
}

void counter_block(uc_engine *engine, uint64_t address, uint32_t size, void *user) {
  counter *self = user;
  /* Unicorn does not execute the block in whose callback it is stopped. */
  if (self->instructions >= self->limit || self->cycles >= self->cycle_limit) {
    self->stop(engine);
    return;
  }
  const block_cost *cost = self->last;
  if (cost->address != (uint32_t)address || cost->size != size) { /* else a loop of one block goes on */
    cost = table_find(self->table, self->mask, (uint32_t)address, size);
    if (cost->size == 0)
      cost = counter_learn(self, (uint32_t)address, size);
    if (cost == NULL) {
      self->stop(engine);
      return;
    }
    self->last = cost;
  }
  self->instructions += cost->instructions;
  self->cycles += cost->instructions;
}

size_t counter_bytes(void) { return sizeof(counter); }

int counter_open(counter *self, stop_function stop, size_function count) {
  memset(self, 0, sizeof *self);
  self->table = calloc(FIRST_CAPACITY, sizeof *self->table);
  self->mask = FIRST_CAPACITY - 1;
  self->stop = stop;
  self->count = count;
  self->last = self->table;
  return self->table == NULL ? -1 : 0;
}

void counter_close(counter *self) {
  free(self->table);
  self->table = NULL;
}
