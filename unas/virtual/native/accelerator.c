/* SPDX-License-Identifier: Apache-2.0 */
#include "accelerator.h"

static int side_open(accelerator_side *self, const cache_shape *shape, uint32_t piece_bytes) {
  self->pieces = shape->lines == 0 ? 1 : shape->line_bytes / piece_bytes;
  if (self->pieces == 0 || self->pieces > 32 || (self->pieces & (self->pieces - 1)) != 0)
    return -1;
  return cache_open(&self->lines, shape);
}

int accelerator_open(accelerator *self, const memory_config *config) {
  *self = (accelerator){.unified = config->art_unified,
                        .whole_data_lines = config->art_whole_data_lines,
                        .run_ahead_bytes = config->run_ahead_bytes};
  while (1u << self->piece_shift < config->flash_bytes)
    self->piece_shift++;
  if (side_open(&self->code, &config->art_code, config->flash_bytes) != 0 ||
      side_open(&self->data, &config->art_data, config->flash_bytes) != 0)
    return -1;
  accelerator_reset(self);
  return 0;
}

void accelerator_close(accelerator *self) {
  cache_close(&self->code.lines);
  cache_close(&self->data.lines);
}

void accelerator_reset(accelerator *self) {
  accelerator_side *sides[] = {&self->code, &self->data};
  for (int i = 0; i < 2; i++) {
    cache_clear(&sides[i]->lines);
    sides[i]->filling = UINT32_MAX;
    sides[i]->first_at = 0;
  }
  self->current = self->ahead = UINT32_MAX;
  self->entered = self->ahead_at = 0;
}

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* When a piece that the cache holds can be had: not before its line's refill has brought it. */
static uint64_t side_ready(const accelerator_side *self, const flash_port *port, uint32_t line,
                           uint32_t piece) {
  if (line != self->filling)
    return 0;
  uint32_t turn = (piece - self->first_piece) & (self->pieces - 1);
  return self->first_at + (uint64_t)turn * (port->wait_states + 1);
}

/* Whether the cache holds the piece; *ready gets from when on. */
static bool side_has(accelerator_side *self, const flash_port *port, uint32_t number, uint64_t *ready) {
  uint32_t piece = number & (self->pieces - 1), line = number / self->pieces;
  const cache_entry *entry = cache_find(&self->lines, line);
  if (entry == NULL || (entry->marks >> piece & 1) == 0)
    return false;
  *ready = side_ready(self, port, line, piece);
  return true;
}

/* Keep a piece that came at `at`; of a whole line the others follow it. */
static void side_keep(accelerator_side *self, flash_port *port, bool whole, uint32_t number, uint64_t at) {
  uint32_t piece = number & (self->pieces - 1), line = number / self->pieces;
  cache_entry victim, *entry = cache_find(&self->lines, line);
  if (entry == NULL)
    entry = cache_take(&self->lines, line, &victim);
  if (!whole) {
    entry->marks |= 1u << piece;
    return;
  }
  entry->marks = UINT32_MAX;
  self->filling = line;
  self->first_piece = piece;
  self->first_at = at;
  uint64_t last = at;
  for (uint32_t i = 1; i < self->pieces; i++)
    last = flash_port_read(port, (line * self->pieces) | ((piece + i) & (self->pieces - 1)), last);
}

/* The cycle at which the fetch unit asks for the next piece in line: it runs ahead of execution. */
static uint64_t accelerator_request(const accelerator *self, uint32_t number, uint64_t now) {
  if (number != self->current + 1 || now <= self->entered)
    return now;
  uint32_t piece_bytes = 1u << self->piece_shift;
  if (self->run_ahead_bytes >= piece_bytes)
    return self->entered + 1;
  return later(self->entered + 1, now - (now - self->entered) * self->run_ahead_bytes / piece_bytes);
}

/* Read ahead what follows, unless it is there already. */
static void accelerator_prefetch(accelerator *self, flash_port *port, bool cached, uint32_t number,
                                 uint64_t at) {
  uint64_t ready;
  if (cached && side_has(&self->code, port, number, &ready))
    return;
  self->ahead = number;
  self->ahead_at = flash_port_read(port, number, at);
  self->prefetches++;
}

uint32_t accelerator_fetch(accelerator *self, flash_port *port, uint32_t on, uint32_t address, uint64_t now,
                           uint64_t *missed) {
  uint32_t number = address >> self->piece_shift;
  if (number == self->current)
    return 0;
  bool cached = (on & MEMORY_ART_CODE) != 0 && self->code.lines.count != 0;
  uint64_t request = accelerator_request(self, number, now), ready = 0;
  if (!cached || !side_has(&self->code, port, number, &ready)) {
    bool ahead = number == self->ahead;
    ready = ahead ? self->ahead_at : flash_port_read(port, number, request);
    *missed += !ahead;
    if (cached)
      side_keep(&self->code, port, false, number, ready);
    if (on & MEMORY_PREFETCH)
      accelerator_prefetch(self, port, cached, number + 1, ready);
  }
  self->current = number;
  self->entered = later(now, ready);
  return (uint32_t)(self->entered - now);
}

uint32_t accelerator_load(accelerator *self, flash_port *port, uint32_t on, uint32_t address, uint64_t now,
                          uint64_t *missed) {
  uint32_t number = address >> self->piece_shift;
  accelerator_side *side = self->unified ? &self->code : &self->data;
  bool cached = (on & (self->unified ? MEMORY_ART_CODE : MEMORY_ART_DATA)) != 0 && side->lines.count != 0;
  uint64_t ready = 0;
  if (!cached || !side_has(side, port, number, &ready)) {
    ready = flash_port_read(port, number, now);
    ++*missed;
    if (cached)
      side_keep(side, port, self->whole_data_lines, number, ready);
  }
  return ready > now ? (uint32_t)(ready - now) : 0;
}
