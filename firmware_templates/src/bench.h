/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmark loop: one cold run, warm-up, timed runs, one profiled run; results wait for READ. */
#ifndef BENCH_H
#define BENCH_H

#include "image.h"
#include "runtime_api.h"

#include <stdbool.h>
#include <stdint.h>

#define BENCH_RUNS_MAX 256u
#define BENCH_OPERATORS_MAX 255u

/* What the device is at, as reported by the fault handler and seen on the trace port. */
typedef enum {
  BENCH_STAGE_IDLE = 0,
  BENCH_STAGE_OPEN = 1,
  BENCH_STAGE_COLD = 2,
  BENCH_STAGE_WARMUP = 3,
  BENCH_STAGE_TIMED = 4,
  BENCH_STAGE_BETWEEN = 5, /* a timed run has ended */
  BENCH_STAGE_PROFILED = 6,
  BENCH_STAGE_TRIAL = 7, /* a run in an arena of a given size */
} bench_stage;

typedef struct {
  uint16_t model, warmup, runs;
  uint32_t seed;
  const uint16_t *order; /* for runtime_set_order */
  uint32_t order_count;
} bench_job;

/* The last measurement. */
typedef struct {
  bool valid;
  uint16_t model; /* its index in the image */
  uint64_t cold_cycles;
  uint64_t samples[BENCH_RUNS_MAX];
  uint32_t sample_count;
  uint64_t
      marks[BENCH_OPERATORS_MAX + 1u]; /* profiled run: counter before the first and after each operator */
  uint64_t profiled_cycles;            /* profiled run from call to return */
  uint32_t operator_count;
  runtime_arena arena;
} bench_result;

/* Returns false and fills error if the model cannot be opened or run. */
bool bench_measure(const bench_job *job, runtime_error *error);
const bench_result *bench_last(void);

/* What came of one run in an arena of a given size. */
typedef struct {
  bool valid;
  runtime_status status;
  bool intact; /* no byte of the board's arena beyond that size was touched */
  uint32_t used_bytes, output_bytes, output_crc32;
} bench_trial;

/* Open a model in the arena's first arena_bytes, which must be there, and run it once. The last measurement
 * is gone by this. warmup and runs do not matter. */
void bench_try(const bench_job *job, uint32_t arena_bytes);
const bench_trial *bench_last_trial(void);

/* The input of a run: int8 values of a xorshift32 generator. seed 0 stands for 1. */
void bench_fill_input(int8_t *input, size_t count, uint32_t seed);

#endif
