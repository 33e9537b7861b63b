/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"

#include <stdlib.h>
#include <string.h>

#include "accelerator.h"
#include "l1.h"

enum { ATTRIBUTES = 16, PAGE_SHIFT = 14, PAGES = 1 << (32 - PAGE_SHIFT) };

typedef struct {
  uint32_t start, last, cacheable, used;
} attribute;

struct memory {
  memory_config config;
  memory_region regions[MEMORY_REGIONS + 1]; /* the first one is everything else */
  uint8_t pages[PAGES];                      /* region of each 16 KiB: one look instead of a search */
  attribute attributes[ATTRIBUTES];
  uint32_t attribute_count; /* one more than the highest in use */
  uint32_t on;
  uint32_t last_piece; /* entered last; UINT32_MAX: none */
  uint32_t fetch_shift;
  accelerator art;
  l1 caches;
  flash_port port;
  memory_counts counts;
};

size_t memory_config_bytes(void) { return sizeof(memory_config); }

static int config_check(const memory_config *config) {
  if (config->region_count > MEMORY_REGIONS || config->flash_bytes < 4 || config->fetch_bytes < 4)
    return -1;
  for (uint32_t i = 0; i < config->region_count; i++) {
    const memory_region *region = &config->regions[i];
    if (region->last < region->start || region->path > MEMORY_DEVICE || region->beat_bytes == 0)
      return -1;
    if (((region->start | (region->last + 1)) & ((1u << PAGE_SHIFT) - 1)) != 0)
      return -1;
    if (i > 0 && region->start <= config->regions[i - 1].last)
      return -1;
  }
  return 0;
}

memory *memory_open(const memory_config *config) {
  memory *self = config_check(config) == 0 ? calloc(1, sizeof *self) : NULL;
  if (self == NULL)
    return NULL;
  self->config = *config;
  self->regions[0] = (memory_region){0, UINT32_MAX, MEMORY_DIRECT, 0, 4, 0};
  for (uint32_t i = 0; i < config->region_count; i++) {
    self->regions[i + 1] = config->regions[i];
    for (uint32_t page = config->regions[i].start >> PAGE_SHIFT;
         page <= config->regions[i].last >> PAGE_SHIFT; page++)
      self->pages[page] = (uint8_t)(i + 1);
  }
  while (1u << self->fetch_shift < config->fetch_bytes)
    self->fetch_shift++;
  if (accelerator_open(&self->art, config) != 0 || l1_open(&self->caches, config) != 0) {
    memory_close(self);
    return NULL;
  }
  memory_reset(self);
  return self;
}

void memory_close(memory *self) {
  if (self == NULL)
    return;
  accelerator_close(&self->art);
  l1_close(&self->caches);
  free(self);
}

void memory_reset(memory *self) {
  self->on = 0;
  self->attribute_count = 0;
  self->last_piece = UINT32_MAX;
  self->port = (flash_port){.held = UINT32_MAX, .reads = self->port.reads};
  for (uint32_t i = 0; i < ATTRIBUTES; i++)
    self->attributes[i] = (attribute){0};
  accelerator_reset(&self->art);
  l1_reset(&self->caches);
}

void memory_switch(memory *self, uint32_t on, uint32_t wait_states) {
  self->on = on;
  self->port.wait_states = wait_states;
  self->last_piece = UINT32_MAX;
}

void memory_invalidate(memory *self, uint32_t what) {
  if (what & MEMORY_ART_CODE)
    cache_clear(&self->art.code.lines);
  if (what & MEMORY_ART_DATA)
    cache_clear(&self->art.data.lines);
  if (what & MEMORY_L1_CODE)
    cache_clear(&self->caches.code.lines);
  if (what & MEMORY_L1_DATA)
    cache_clear(&self->caches.data.lines);
  self->last_piece = UINT32_MAX;
}

void memory_clean_line(memory *self, uint32_t address, uint32_t invalidate) {
  l1_clean_line(&self->caches, address, invalidate);
}

int memory_attribute(memory *self, uint32_t slot, uint32_t start, uint32_t last, uint32_t cacheable) {
  if (slot >= ATTRIBUTES)
    return -1;
  self->attributes[slot] = (attribute){start, last, cacheable, start <= last};
  self->attribute_count = 0;
  for (uint32_t i = 0; i < ATTRIBUTES; i++)
    if (self->attributes[i].used)
      self->attribute_count = i + 1;
  return 0;
}

static inline const memory_region *memory_find(const memory *self, uint32_t address) {
  return &self->regions[self->pages[address >> PAGE_SHIFT]];
}

static uint32_t memory_policy(const memory *self, const memory_region *region, uint32_t address) {
  for (uint32_t i = self->attribute_count; i-- > 0;) /* the MPU's highest number wins */
    if (self->attributes[i].used && self->attributes[i].start <= address &&
        address <= self->attributes[i].last)
      return self->attributes[i].cacheable;
  return region->cacheable;
}

uint32_t memory_fetch_bytes(const memory *self) { return self->config.fetch_bytes; }

uint32_t memory_fetch(memory *self, uint32_t address, uint64_t now) {
  uint32_t piece = address >> self->fetch_shift;
  if (piece == self->last_piece)
    return 0;
  self->last_piece = piece;
  const memory_region *region = memory_find(self, address);
  uint32_t stall;
  if (region->path == MEMORY_ACCELERATED) {
    stall = accelerator_fetch(&self->art, &self->port, self->on, address, now, &self->counts.fetch_misses);
  } else if (region->path == MEMORY_FLASH || region->path == MEMORY_BUS) {
    bool cached = (self->on & MEMORY_L1_CODE) != 0 && self->caches.code.lines.count != 0 &&
                  memory_policy(self, region, address) != MEMORY_UNCACHED;
    stall = l1_fetch(&self->caches, &self->port, region, cached, address, now, &self->counts.fetch_misses);
  } else {
    return 0;
  }
  self->counts.fetches++;
  self->counts.fetch_stall += stall;
  return stall;
}

static bool memory_cached(const memory *self, uint32_t policy) {
  return policy != MEMORY_UNCACHED && (self->on & MEMORY_L1_DATA) != 0 && self->caches.data.lines.count != 0;
}

static uint32_t memory_load_once(memory *self, uint32_t address, uint64_t now) {
  const memory_region *region = memory_find(self, address);
  uint32_t delay;
  if (region->path == MEMORY_DIRECT)
    return 0;
  if (region->path == MEMORY_DEVICE)
    return region->latency;
  if (region->path == MEMORY_ACCELERATED) {
    delay = accelerator_load(&self->art, &self->port, self->on, address, now, &self->counts.load_misses);
  } else {
    bool cached = memory_cached(self, memory_policy(self, region, address));
    delay = l1_load(&self->caches, &self->port, region, cached, address, now, &self->counts.load_misses);
  }
  self->counts.loads++;
  self->counts.load_delay += delay;
  return delay;
}

uint32_t memory_load(memory *self, uint32_t address, uint32_t size, uint64_t now) {
  uint32_t delay = memory_load_once(self, address, now);
  uint32_t last = address + size - 1;
  if (address >> 3 != last >> 3) { /* it may touch a second line, or a beat that comes later */
    uint32_t second = memory_load_once(self, last, now);
    delay = second > delay ? second : delay;
  }
  return delay;
}

uint32_t memory_store(memory *self, uint32_t address, uint32_t size, uint64_t now) {
  (void)size; /* the store buffer takes an unaligned store whole */
  const memory_region *region = memory_find(self, address);
  if (region->path == MEMORY_DIRECT || region->path == MEMORY_ACCELERATED)
    return 0;
  if (region->path == MEMORY_DEVICE)
    return region->latency;
  uint32_t policy = memory_policy(self, region, address);
  if (!memory_cached(self, policy))
    policy = MEMORY_UNCACHED;
  uint32_t stall =
      l1_store(&self->caches, &self->port, region, policy, address, now, &self->counts.store_misses);
  self->counts.stores++;
  self->counts.store_stall += stall;
  return stall;
}

void memory_read_counts(const memory *self, memory_counts *counts) {
  *counts = self->counts;
  counts->flash_reads = self->port.reads;
  counts->prefetches = self->art.prefetches;
  counts->write_backs = self->caches.write_backs;
}

/* The caches whose entries lie outside the structure. */
enum { CACHES = 4 };

static void memory_caches(memory *self, cache *caches[CACHES]) {
  caches[0] = &self->art.code.lines;
  caches[1] = &self->art.data.lines;
  caches[2] = &self->caches.code.lines;
  caches[3] = &self->caches.data.lines;
}

static size_t entry_bytes(const cache *lines) { return (size_t)lines->count * sizeof *lines->entries; }

size_t memory_state_bytes(const memory *self) {
  cache *caches[CACHES];
  memory_caches((memory *)(uintptr_t)self, caches);
  size_t bytes = sizeof *self;
  for (uint32_t i = 0; i < CACHES; i++)
    bytes += entry_bytes(caches[i]);
  return bytes;
}

void memory_save(const memory *self, void *state) {
  cache *caches[CACHES];
  memory_caches((memory *)(uintptr_t)self, caches);
  unsigned char *to = state;
  memcpy(to, self, sizeof *self);
  to += sizeof *self;
  for (uint32_t i = 0; i < CACHES; to += entry_bytes(caches[i]), i++)
    memcpy(to, caches[i]->entries, entry_bytes(caches[i]));
}

void memory_restore(memory *self, const void *state) {
  cache *caches[CACHES];
  const unsigned char *from = state;
  memcpy(self, from, sizeof *self); /* of this very memory system: its pointers hold */
  from += sizeof *self;
  memory_caches(self, caches);
  for (uint32_t i = 0; i < CACHES; from += entry_bytes(caches[i]), i++)
    memcpy(caches[i]->entries, from, entry_bytes(caches[i]));
}
