/* SPDX-License-Identifier: Apache-2.0 */
/* The L1 caches of a Cortex-M7 and the AXI bus behind them (DDI 0489 5.9): the wanted word comes first, a
 * refill does not block, what it has brought can be used at once. One refill at a time on each side. */
#ifndef UNAS_L1_H
#define UNAS_L1_H

#include "cache.h"
#include "flash_port.h"
#include "memory_config.h"

enum { L1_AHEAD = 8 /* pieces, at most, between fetch and execution */, L1_BEAT_BYTES = 8 };

typedef struct {
  cache lines;
  uint32_t line_shift;
  uint32_t filling;   /* line of the last refill; UINT32_MAX: none */
  uint32_t first;     /* its beat that came first */
  uint32_t beat_time; /* cycles between two beats */
  uint64_t at, done;  /* when the first and the last beat came */
} l1_side;

typedef struct {
  l1_side code, data;
  uint32_t fetch_shift, depth; /* pieces of code, and how many of them the prefetch queue holds */
  uint32_t flash_shift;
  uint32_t current, run; /* piece last entered; how many in a row led to it */
  uint64_t entered[L1_AHEAD];
  uint64_t bus_free; /* of the RAM behind the bus */
  uint64_t drained;  /* when the store buffer is empty */
  uint64_t write_backs;
} l1;

int l1_open(l1 *self, const memory_config *config);
void l1_close(l1 *self);
void l1_reset(l1 *self);
void l1_clean_line(l1 *self, uint32_t address, uint32_t invalidate);
uint32_t l1_fetch(l1 *self, flash_port *port, const memory_region *region, bool cached, uint32_t address,
                  uint64_t now, uint64_t *missed);
uint32_t l1_load(l1 *self, flash_port *port, const memory_region *region, bool cached, uint32_t address,
                 uint64_t now, uint64_t *missed);
uint32_t l1_store(l1 *self, flash_port *port, const memory_region *region, uint32_t policy, uint32_t address,
                  uint64_t now, uint64_t *missed);

#endif
