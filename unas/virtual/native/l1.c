/* SPDX-License-Identifier: Apache-2.0 */
#include "l1.h"

enum { STORE_BUFFER = 4 }; /* stores that wait for the bus without holding up the core; depth not published */

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }

static int side_open(l1_side *self, const cache_shape *shape) {
  *self = (l1_side){0};
  while (1u << self->line_shift < shape->line_bytes)
    self->line_shift++;
  return shape->lines != 0 && shape->line_bytes < L1_BEAT_BYTES ? -1 : cache_open(&self->lines, shape);
}

int l1_open(l1 *self, const memory_config *config) {
  *self = (l1){0};
  if (side_open(&self->code, &config->l1_code) != 0 || side_open(&self->data, &config->l1_data) != 0)
    return -1;
  while (1u << self->fetch_shift < config->fetch_bytes)
    self->fetch_shift++;
  while (1u << self->flash_shift < config->flash_bytes)
    self->flash_shift++;
  self->depth = config->run_ahead_bytes >> self->fetch_shift;
  if (self->depth >= L1_AHEAD)
    self->depth = L1_AHEAD - 1;
  l1_reset(self);
  return 0;
}

void l1_close(l1 *self) {
  cache_close(&self->code.lines);
  cache_close(&self->data.lines);
}

static void side_reset(l1_side *self) {
  cache_clear(&self->lines);
  self->filling = UINT32_MAX;
  self->at = self->done = 0;
}

void l1_reset(l1 *self) {
  side_reset(&self->code);
  side_reset(&self->data);
  self->current = UINT32_MAX;
  self->run = 0;
  self->bus_free = self->drained = 0;
}

static uint32_t beat_time(const memory_region *region) {
  return region->beat_bytes >= L1_BEAT_BYTES ? 1 : L1_BEAT_BYTES / region->beat_bytes;
}

/* A read of so many beats over AXI: the cycle of the first one. */
static uint64_t l1_read(l1 *self, flash_port *port, const memory_region *region, uint32_t address,
                        uint32_t beats, uint64_t request) {
  uint64_t rest = (uint64_t)(beats - 1) * beat_time(region);
  if (region->path == MEMORY_FLASH) {
    uint32_t number = address >> self->flash_shift;
    uint64_t start = later(request, port->free);
    uint64_t there = number == port->held ? start + 1 : flash_port_read(port, number, start);
    port->free = there + rest;
    return there + region->latency;
  }
  uint64_t first = later(request, self->bus_free) + region->latency;
  self->bus_free = first + rest;
  return first;
}

static void l1_write_back(l1 *self, const l1_side *side, const memory_region *region) {
  uint32_t beats = 1u << side->line_shift >> 3;
  self->bus_free += (uint64_t)beats * beat_time(region);
  self->write_backs++;
}

/* Bring a line in; its wanted beat comes at side->at. */
static cache_entry *l1_refill(l1 *self, l1_side *side, flash_port *port, const memory_region *region,
                              uint32_t address, uint64_t request) {
  uint32_t beats = 1u << side->line_shift >> 3;
  cache_entry victim;
  cache_entry *entry = cache_take(&side->lines, address >> side->line_shift, &victim);
  side->filling = address >> side->line_shift;
  side->first = address / L1_BEAT_BYTES & (beats - 1);
  side->beat_time = beat_time(region);
  side->at = l1_read(self, port, region, address, beats, later(request, side->done));
  side->done = side->at + (uint64_t)(beats - 1) * side->beat_time;
  if (victim.line != CACHE_NOTHING && victim.marks != 0)
    l1_write_back(self, side, region);
  return entry;
}

/* From which cycle on an address in the cache can be read. */
static uint64_t side_ready(const l1_side *self, uint32_t address) {
  if (address >> self->line_shift != self->filling)
    return 0;
  uint32_t beats = 1u << self->line_shift >> 3;
  uint32_t turn = (address / L1_BEAT_BYTES - self->first) & (beats - 1);
  return self->at + (uint64_t)turn * self->beat_time;
}

void l1_clean_line(l1 *self, uint32_t address, uint32_t invalidate) {
  cache_entry *entry = cache_find(&self->data.lines, address >> self->data.line_shift);
  if (entry == NULL)
    return;
  entry->marks = 0;
  if (invalidate)
    *entry = (cache_entry){CACHE_NOTHING, 0, 0};
}

/* The cycle at which the prefetch queue asks for a piece: as soon as there is room for it. */
static uint64_t l1_request(l1 *self, uint32_t piece, uint64_t now) {
  if (piece != self->current + 1) {
    self->run = 0;
    return now;
  }
  uint32_t back = self->run < self->depth ? self->run : self->depth;
  return back == 0 ? now : self->entered[(piece - back) % L1_AHEAD];
}

uint32_t l1_fetch(l1 *self, flash_port *port, const memory_region *region, bool cached, uint32_t address,
                  uint64_t now, uint64_t *missed) {
  uint32_t piece = address >> self->fetch_shift;
  if (piece == self->current)
    return 0;
  uint64_t request = l1_request(self, piece, now), ready = 0;
  if (!cached) {
    ready = l1_read(self, port, region, address, 1, request);
    ++*missed;
  } else {
    if (cache_find(&self->code.lines, address >> self->code.line_shift) == NULL) {
      l1_refill(self, &self->code, port, region, address, request);
      ++*missed;
    }
    ready = side_ready(&self->code, address);
  }
  self->current = piece;
  self->run++;
  ready = later(now, ready);
  self->entered[piece % L1_AHEAD] = ready;
  return (uint32_t)(ready - now);
}

uint32_t l1_load(l1 *self, flash_port *port, const memory_region *region, bool cached, uint32_t address,
                 uint64_t now, uint64_t *missed) {
  uint64_t ready;
  if (!cached) {
    ready = l1_read(self, port, region, address, 1, now);
    ++*missed;
  } else {
    if (cache_find(&self->data.lines, address >> self->data.line_shift) == NULL) {
      l1_refill(self, &self->data, port, region, address, now);
      ++*missed;
    }
    ready = side_ready(&self->data, address);
  }
  return ready > now ? (uint32_t)(ready - now) : 0;
}

/* A store leaves the core at once, unless all places of the store buffer wait for the bus. */
static uint32_t l1_drain(l1 *self, uint32_t cost, uint64_t now) {
  self->drained = later(self->drained, now) + cost;
  uint64_t room = (uint64_t)STORE_BUFFER * cost;
  return self->drained > now + room ? (uint32_t)(self->drained - now - room) : 0;
}

uint32_t l1_store(l1 *self, flash_port *port, const memory_region *region, uint32_t policy, uint32_t address,
                  uint64_t now, uint64_t *missed) {
  if (policy == MEMORY_WRITE_BACK) {
    cache_entry *entry = cache_find(&self->data.lines, address >> self->data.line_shift);
    if (entry == NULL) {
      entry = l1_refill(self, &self->data, port, region, address, now);
      ++*missed;
    }
    entry->marks = 1;
    uint64_t ready = side_ready(&self->data, address);
    return ready > now ? l1_drain(self, (uint32_t)(ready - now), now) : 0;
  }
  if (policy == MEMORY_WRITE_THROUGH)
    cache_find(&self->data.lines, address >> self->data.line_shift); /* a hit is used, a miss takes no line */
  return l1_drain(self, beat_time(region), now);
}
