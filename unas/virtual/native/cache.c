/* SPDX-License-Identifier: Apache-2.0 */
#include "cache.h"

#include <stdlib.h>

static bool power_of_two(uint32_t value) { return value != 0 && (value & (value - 1)) == 0; }

int cache_open(cache *self, const cache_shape *shape) {
  *self = (cache){0};
  static const cache_shape nothing = {1, 1, 4, 0};
  self->count = shape->lines;
  if (shape->lines == 0)
    shape = &nothing;
  if (!power_of_two(shape->line_bytes) || shape->ways == 0 || shape->lines > CACHE_MOST_LINES ||
      shape->lines % shape->ways != 0 || !power_of_two(shape->lines / shape->ways))
    return -1;
  self->entries = malloc(shape->lines * sizeof *self->entries);
  if (self->entries == NULL)
    return -1;
  self->entries[0].line = CACHE_NOTHING; /* also where there is no line at all */
  self->ways = shape->ways;
  self->set_mask = shape->lines / shape->ways - 1;
  self->random = shape->random;
  while (1u << self->shift < shape->line_bytes)
    self->shift++;
  cache_clear(self);
  return 0;
}

void cache_close(cache *self) {
  free(self->entries);
  self->entries = NULL;
  self->count = 0;
}

void cache_clear(cache *self) {
  for (uint32_t i = 0; i < self->count; i++)
    self->entries[i] = (cache_entry){CACHE_NOTHING, 0, 0};
  for (uint32_t i = 0; i < CACHE_HINTS; i++)
    self->hints[i] = 0;
  self->clock = 0;
  self->draw = 1;
}

static cache_entry *cache_set(const cache *self, uint32_t line) {
  return &self->entries[(line & self->set_mask) * self->ways];
}

cache_entry *cache_search(cache *self, uint32_t line) {
  cache_entry *entry = cache_set(self, line);
  for (uint32_t way = 0; way < self->ways; way++, entry++) {
    if (entry->line == line) {
      self->hints[line % CACHE_HINTS] = (uint16_t)(entry - self->entries);
      entry->used = ++self->clock;
      return entry;
    }
  }
  return NULL;
}

/* A 16-bit shift register with linear feedback: the usual cheap source of ways. */
static uint32_t cache_draw(cache *self) {
  uint32_t state = self->draw;
  uint32_t bit = (state ^ state >> 2 ^ state >> 3 ^ state >> 5) & 1;
  self->draw = state >> 1 | bit << 15;
  return self->draw;
}

cache_entry *cache_take(cache *self, uint32_t line, cache_entry *victim) {
  cache_entry *set = cache_set(self, line);
  uint32_t chosen = 0;
  for (uint32_t way = 1; way < self->ways; way++)
    if (set[way].used < set[chosen].used) /* one that holds nothing was never used */
      chosen = way;
  if (self->random && set[chosen].line != CACHE_NOTHING)
    chosen = cache_draw(self) % self->ways;
  *victim = set[chosen];
  set[chosen] = (cache_entry){line, 0, ++self->clock};
  self->hints[line % CACHE_HINTS] = (uint16_t)(&set[chosen] - self->entries);
  return &set[chosen];
}
