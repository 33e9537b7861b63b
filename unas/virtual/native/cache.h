/* SPDX-License-Identifier: Apache-2.0 */
/* Which lines a cache holds: set-associative, tags only. */
#ifndef UNAS_CACHE_H
#define UNAS_CACHE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  uint32_t lines, ways, line_bytes; /* ways == lines: fully associative; lines 0: there is none */
  uint32_t random;                  /* replace: 0 the least recently used line, 1 one chosen by a counter */
} cache_shape;

enum { CACHE_HINTS = 256, CACHE_MOST_LINES = 1024 };

typedef struct {
  uint32_t line;  /* its number, address / line_bytes; CACHE_NOTHING */
  uint32_t marks; /* its owner's: L1: written since it was filled; accelerator: a bit for each piece that is
                     there */
  uint64_t used;  /* when, in accesses */
} cache_entry;

#define CACHE_NOTHING UINT32_MAX

typedef struct {
  cache_entry *entries;
  uint32_t count, ways, set_mask, shift, random;
  uint64_t clock;
  uint32_t draw;
  uint16_t hints[CACHE_HINTS]; /* the entry in which a line was seen last: mostly there is no search */
} cache;

int cache_open(cache *self, const cache_shape *shape); /* 0, or -1: no memory or no sensible shape */
void cache_close(cache *self);
void cache_clear(cache *self);
cache_entry *cache_search(cache *self, uint32_t line);

/* The entry that holds the line, marked as used; NULL: a miss. */
static inline cache_entry *cache_find(cache *self, uint32_t line) {
  cache_entry *entry = &self->entries[self->hints[line % CACHE_HINTS]];
  if (entry->line != line)
    return cache_search(self, line);
  entry->used = ++self->clock;
  return entry;
}
/* Make room for a line that is not there; *victim gets what was there before. */
cache_entry *cache_take(cache *self, uint32_t line, cache_entry *victim);

#endif
