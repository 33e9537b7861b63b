/* SPDX-License-Identifier: Apache-2.0 */
/* The memory system of a microcontroller: what a fetch, a load or a store costs beyond a zero-wait-state
 * memory. No bytes are kept, only which lines the caches hold and when each port is free. All times are core
 * cycles. Every number comes from the board file by way of memory_config (unas/virtual/bus/memory_system.py
 * mirrors it).
 *
 * How a core model uses it:
 *   - it walks a block's code in pieces of memory_fetch_bytes() (aligned; never less than 4) and calls
 * memory_fetch when the first instruction of a piece is about to issue, in program order, `now` being that
 * cycle with all earlier stalls included. Entering the piece that was entered last again costs nothing: skip
 * the call if you like;
 *   - memory_load answers by how many cycles the data are later than from a zero-wait-state memory. An
 * in-order core that waits for its loads (Cortex-M4) adds it to time; one with a non-blocking cache
 * (Cortex-M7) may add it to the latency of the loaded register instead and stall only on its use: what a
 * later access has to wait for because of this one is accounted for here;
 *   - memory_store answers by how many cycles the core is held up.
 * `now` must not run backwards by more than a few cycles; it may jump ahead. */
#ifndef UNAS_MEMORY_H
#define UNAS_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "memory_config.h"

typedef struct {                               /* since memory_open; for tests and reports */
  uint64_t fetches, fetch_misses, fetch_stall; /* pieces entered, not counting the same one again */
  uint64_t loads, load_misses, load_delay;     /* of memories that have a cost */
  uint64_t stores, store_misses, store_stall;
  uint64_t flash_reads, prefetches, write_backs;
} memory_counts;

typedef struct memory memory;

memory *memory_open(const memory_config *config); /* NULL: no memory, or a configuration without sense */
void memory_close(memory *self);
size_t memory_config_bytes(void);

/* Power-on: nothing cached, everything off, no wait states, time 0. */
void memory_reset(memory *self);
void memory_switch(memory *self, uint32_t on, uint32_t wait_states);
void memory_invalidate(memory *self, uint32_t what);
void memory_clean_line(memory *self, uint32_t address, uint32_t invalidate); /* of the L1 data cache */
/* The MPU's word on a region's cacheability: overrides that of all addresses in [start, last]. */
int memory_attribute(memory *self, uint32_t slot, uint32_t start, uint32_t last, uint32_t cacheable);

uint32_t memory_fetch_bytes(const memory *self);
uint32_t memory_fetch(memory *self, uint32_t address, uint64_t now);
uint32_t memory_load(memory *self, uint32_t address, uint32_t size, uint64_t now);
uint32_t memory_store(memory *self, uint32_t address, uint32_t size, uint64_t now);
void memory_read_counts(const memory *self, memory_counts *counts);

/* All that a memory system remembers, in one piece: to put it back later. */
size_t memory_state_bytes(const memory *self);
void memory_save(const memory *self, void *state);
void memory_restore(memory *self, const void *state);

#endif
