/* SPDX-License-Identifier: Apache-2.0 */
/* ST's flash accelerator ("ART"): the current line, a prefetch buffer, and lines kept for code and for data.
 * RM0090 3.5.2, RM0351 3.3.4 describe it; a piece is what one read of the flash gives. */
#ifndef UNAS_ACCELERATOR_H
#define UNAS_ACCELERATOR_H

#include "cache.h"
#include "flash_port.h"
#include "memory_config.h"

typedef struct {
  cache lines;
  uint32_t pieces;               /* in a line */
  uint32_t filling, first_piece; /* the line that was missed last, and the piece that was wanted of it */
  uint64_t first_at;             /* when that piece came */
} accelerator_side;

typedef struct {
  accelerator_side code, data;
  uint32_t piece_shift, run_ahead_bytes, unified, whole_data_lines;
  uint32_t current; /* piece that the core executes from; UINT32_MAX: none */
  uint64_t entered; /* when it began to */
  uint32_t ahead;   /* piece in the prefetch buffer; UINT32_MAX: none */
  uint64_t ahead_at;
  uint64_t prefetches;
} accelerator;

int accelerator_open(accelerator *self, const memory_config *config);
void accelerator_close(accelerator *self);
void accelerator_reset(accelerator *self);
/* Cycles that a fetch or a load waits; *missed is set if neither cache nor buffer held it. */
uint32_t accelerator_fetch(accelerator *self, flash_port *port, uint32_t on, uint32_t address, uint64_t now,
                           uint64_t *missed);
uint32_t accelerator_load(accelerator *self, flash_port *port, uint32_t on, uint32_t address, uint64_t now,
                          uint64_t *missed);

#endif
