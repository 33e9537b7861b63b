/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include "board_api.h"
#include "crc32.h"

static bench_result result;
static bench_trial trial;

const bench_result *bench_last(void) { return &result; }
const bench_trial *bench_last_trial(void) { return &trial; }

void bench_fill_input(int8_t *input, size_t count, uint32_t seed) {
  uint32_t state = seed == 0 ? 1u : seed;
  for (size_t i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    input[i] = (int8_t)(uint8_t)(state >> 24);
  }
}

/* The planner may reuse the input's memory during a run, so every run gets its input anew. */
static void refill(const bench_job *job) {
  size_t count;
  int8_t *input = runtime_input(&count);
  bench_fill_input(input, count, job->seed);
}

static bool run(const bench_job *job, bench_stage stage, uint64_t *cycles, runtime_error *error) {
  refill(job);
  const uint32_t irq = board_irq_disable();
  board_set_stage(stage);
  const uint64_t start = board_cycles();
  const runtime_status status = runtime_invoke(NULL, NULL, error);
  *cycles = board_cycles() - start;
  board_set_stage(BENCH_STAGE_BETWEEN);
  board_irq_restore(irq);
  return status == RUNTIME_OK;
}

static void mark(void *context, uint32_t operators_done) {
  ((uint64_t *)context)[operators_done] = board_cycles();
  board_set_stage(BENCH_STAGE_PROFILED); /* the trace port's counts, once more: one operator is done */
}

static bool profile(const bench_job *job, runtime_error *error) {
  refill(job);
  const uint32_t irq = board_irq_disable();
  board_set_stage(BENCH_STAGE_PROFILED);
  const uint64_t start = board_cycles();
  const runtime_status status = runtime_invoke(mark, result.marks, error);
  result.profiled_cycles = board_cycles() - start;
  board_set_stage(BENCH_STAGE_BETWEEN);
  board_irq_restore(irq);
  return status == RUNTIME_OK;
}

static bool measure(const bench_job *job, runtime_error *error) {
  const image_model *model = &image_models[job->model];
  uint32_t arena_size;
  uint8_t *arena = board_arena(&arena_size);
  uint64_t unused;
  board_set_stage(BENCH_STAGE_OPEN);
  runtime_set_order(job->order, job->order_count);
  if (runtime_open(model->data, model->size, arena, arena_size, error) != RUNTIME_OK) {
    return false;
  }
  runtime_arena_use(&result.arena);
  result.operator_count = runtime_operator_count();
  if (!run(job, BENCH_STAGE_COLD, &result.cold_cycles, error)) {
    return false;
  }
  for (uint32_t i = 0; i < job->warmup; i++) {
    if (!run(job, BENCH_STAGE_WARMUP, &unused, error)) {
      return false;
    }
  }
  for (result.sample_count = 0; result.sample_count < job->runs; result.sample_count++) {
    if (!run(job, BENCH_STAGE_TIMED, &result.samples[result.sample_count], error)) {
      return false;
    }
  }
  return result.operator_count > BENCH_OPERATORS_MAX || profile(job, error);
}

bool bench_measure(const bench_job *job, runtime_error *error) {
  result.valid = trial.valid = false;
  result.model = job->model;
  result.valid = measure(job, error);
  board_set_stage(BENCH_STAGE_IDLE);
  return result.valid;
}

/* What stands beyond the arena of a trial: no value of it is likely to be written by chance, and a shift
 * shows.
 */
static uint8_t guard_byte(uint32_t at) { return (uint8_t)(0xA5u ^ at ^ at >> 8); }

static void guard(uint8_t *arena, uint32_t from, uint32_t end) {
  for (uint32_t at = from; at < end; at++) {
    arena[at] = guard_byte(at);
  }
}

static bool is_intact(const uint8_t *arena, uint32_t from, uint32_t end) {
  for (uint32_t at = from; at < end; at++) {
    if (arena[at] != guard_byte(at)) {
      return false;
    }
  }
  return true;
}

static runtime_status open_and_run(const bench_job *job, uint8_t *arena, uint32_t arena_bytes) {
  const image_model *model = &image_models[job->model];
  runtime_error error;
  uint64_t unused;
  board_set_stage(BENCH_STAGE_OPEN);
  runtime_set_order(job->order, job->order_count);
  const runtime_status status = runtime_open(model->data, model->size, arena, arena_bytes, &error);
  if (status != RUNTIME_OK || !run(job, BENCH_STAGE_TRIAL, &unused, &error)) {
    return error.status;
  }
  return RUNTIME_OK;
}

void bench_try(const bench_job *job, uint32_t arena_bytes) {
  uint32_t size;
  uint8_t *arena = board_arena(&size);
  result.valid = false;
  trial = (bench_trial){.valid = true};
  guard(arena, arena_bytes, size);
  trial.status = open_and_run(job, arena, arena_bytes);
  if (trial.status == RUNTIME_OK) {
    runtime_arena use;
    size_t bytes;
    const int8_t *output = runtime_output(&bytes);
    runtime_arena_use(&use);
    trial.used_bytes = use.used_bytes;
    trial.output_bytes = (uint32_t)bytes;
    trial.output_crc32 = crc32_value(crc32_update(CRC32_INITIAL, (const uint8_t *)output, bytes));
  }
  trial.intact = is_intact(arena, arena_bytes, size);
  board_set_stage(BENCH_STAGE_IDLE);
}
