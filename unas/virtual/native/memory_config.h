/* SPDX-License-Identifier: Apache-2.0 */
/* What a memory system is made of, and what firmware switches in it. */
#ifndef UNAS_MEMORY_CONFIG_H
#define UNAS_MEMORY_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "cache.h"

enum { MEMORY_REGIONS = 16 };

/* What lies behind an address: memory_region.path */
enum {
  MEMORY_DIRECT = 0,      /* no wait states: TCM, the SRAM of an M4 */
  MEMORY_ACCELERATED = 1, /* flash behind ST's accelerator: prefetch, lines kept for code and for data */
  MEMORY_FLASH = 2,       /* flash on the bus of L1 caches */
  MEMORY_BUS = 3,         /* RAM on the bus of L1 caches */
  MEMORY_DEVICE = 4       /* peripherals: never cached, a fixed cost */
};

/* memory_region.cacheable */
enum { MEMORY_UNCACHED = 0, MEMORY_WRITE_THROUGH = 1, MEMORY_WRITE_BACK = 2 };

typedef struct {
  uint32_t start, last; /* first and last address */
  uint32_t path;
  uint32_t cacheable;  /* by L1 */
  uint32_t beat_bytes; /* width of the bus to it */
  uint32_t latency; /* cycles to the first beat besides the flash's wait states; of a device: of an access */
} memory_region;

typedef struct {
  memory_region regions[MEMORY_REGIONS]; /* sorted, disjoint, of whole 16 KiB; all else is MEMORY_DIRECT */
  uint32_t region_count;
  uint32_t fetch_bytes;           /* memory_fetch's pieces */
  uint32_t run_ahead_bytes;       /* how far the core fetches before it executes */
  uint32_t flash_bytes;           /* width of one read of the flash */
  cache_shape art_code, art_data; /* lines that the flash accelerator keeps */
  uint32_t art_unified;           /* code and data share art_code (F7) */
  uint32_t art_whole_data_lines;  /* a load's miss reads its whole line, wanted piece first; 0: only that */
  cache_shape l1_code, l1_data;
} memory_config;

/* What firmware switches: bits of memory_switches.on */
enum {
  MEMORY_PREFETCH = 1,
  MEMORY_ART_CODE = 2,
  MEMORY_ART_DATA = 4,
  MEMORY_L1_CODE = 8,
  MEMORY_L1_DATA = 16
};

/* Which contents memory_invalidate forgets: the same bits, without MEMORY_PREFETCH */

#endif
