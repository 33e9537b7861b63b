/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include "board_api.h"

static bench_result result;

const bench_result *bench_last(void) { return &result; }

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
  result.valid = false;
  result.valid = measure(job, error);
  board_set_stage(BENCH_STAGE_IDLE);
  return result.valid;
}
