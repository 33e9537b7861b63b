/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions of Armv7E-M per product: 1.5 where each channel has its own input, 7/8 where they share it.
 * The loops are unrolled over the usual widths of a filter, so that steps become offsets within instructions.
 */
#include "depthwise_run.h"

#if RT_DSP_KERNELS

#define UNROLLED static inline __attribute__((always_inline))

typedef struct {
  uint32_t s0, s1, s2, s3;
} depthwise_sums;

UNROLLED depthwise_sums start_sums(const uint32_t **biases) {
  depthwise_sums sums;
  sums.s0 = dsp_read_two(biases, &sums.s1);
  sums.s2 = dsp_read_two(biases, &sums.s3);
  return sums;
}

UNROLLED int8_t requantize(uint32_t sum, const uint32_t **gains, int32_t offset) {
  uint32_t shift;
  const uint32_t slope = dsp_read_two(gains, &shift);
  return (int8_t)rt_gain_apply((int32_t)sum, (rt_gain){(int32_t)slope, (int32_t)shift}, offset);
}

UNROLLED void finish(depthwise_sums sums, const uint32_t *gains, int32_t offset, int8_t *output,
                     int32_t lanes) {
  output[0] = requantize(sums.s0, &gains, offset);
  if (lanes > 1) {
    output[1] = requantize(sums.s1, &gains, offset);
  }
  if (lanes > 2) {
    output[2] = requantize(sums.s2, &gains, offset);
  }
  if (lanes > 3) {
    output[3] = requantize(sums.s3, &gains, offset);
  }
}

/* One tap of four channels, each with its own input: channels 0 and 2, 1 and 3. */
UNROLLED depthwise_sums add_products(depthwise_sums sums, uint32_t x02, uint32_t x13, uint32_t w02,
                                     uint32_t w13) {
  sums.s0 = dsp_smlabb(x02, w02, sums.s0);
  sums.s2 = dsp_smlatt(x02, w02, sums.s2);
  sums.s1 = dsp_smlabb(x13, w13, sums.s1);
  sums.s3 = dsp_smlatt(x13, w13, sums.s3);
  return sums;
}

UNROLLED depthwise_sums add_own(depthwise_sums sums, const uint32_t **inputs, const uint32_t **weights) {
  uint32_t x13, w13;
  const uint32_t x02 = dsp_read_two(inputs, &x13), w02 = dsp_read_two(weights, &w13);
  return add_products(sums, x02, x13, w02, w13);
}

/* Two taps of four channels that share their input. */
UNROLLED depthwise_sums add_shared(depthwise_sums sums, uint32_t inputs, const uint32_t **weights) {
  uint32_t w1, w3;
  const uint32_t w0 = dsp_read_two(weights, &w1);
  sums.s0 = dsp_smlad(inputs, w0, sums.s0);
  sums.s1 = dsp_smlad(inputs, w1, sums.s1);
  const uint32_t w2 = dsp_read_two(weights, &w3);
  sums.s2 = dsp_smlad(inputs, w2, sums.s2);
  sums.s3 = dsp_smlad(inputs, w3, sums.s3);
  return sums;
}

UNROLLED void pixel_of(const rt_depthwise_patch *patch, const rt_depthwise_run *run, int8_t *output,
                       int32_t lanes) {
  const uint32_t *biases = run->block->biases, offsets = patch->offsets;
  const int32_t input_step = patch->input_step, weight_step = patch->weight_step;
  const int8_t *input_row = patch->inputs, *weight_row = patch->weights;
  depthwise_sums sums = start_sums(&biases);
  for (int32_t rows = patch->rows; rows > 0; --rows) {
    const int8_t *inputs = input_row, *weights = weight_row;
    for (int32_t taps = patch->taps; taps > 0; --taps) {
      const uint32_t x = rt_depthwise_read(inputs, lanes), w = rt_depthwise_read(weights, lanes);
      sums = add_products(sums, dsp_sxtab16(offsets, x), dsp_sxtab16_ror8(offsets, x), dsp_sxtb16(w),
                          dsp_sxtb16_ror8(w));
      inputs += input_step;
      weights += weight_step;
    }
    input_row += patch->input_row_step;
    weight_row += patch->weight_row_step;
  }
  finish(sums, run->gains, run->offset, output, lanes);
}

void rt_depthwise_pixel(const rt_depthwise_patch *patch, const rt_depthwise_run *run, int8_t *output) {
  switch (run->lanes) {
  case 1:
    pixel_of(patch, run, output, 1);
    break;
  case 2:
    pixel_of(patch, run, output, 2);
    break;
  case 3:
    pixel_of(patch, run, output, 3);
    break;
  default:
    pixel_of(patch, run, output, RT_DEPTHWISE_LANES);
    break;
  }
}

UNROLLED int32_t next_row(const rt_depthwise_run *run, int32_t row) {
  row += run->row_step;
  return row < run->ring_bytes ? row : row - run->ring_bytes;
}

UNROLLED const uint32_t *cells(const uint8_t *ring) { return (const uint32_t *)(const void *)ring; }

/* `steps` and `step_bytes` are those of run: constants where the caller knows them. */
UNROLLED void own_row(const rt_depthwise_run *run, int8_t *output, int32_t steps, int32_t step_bytes) {
  const uint8_t *pixel = run->ring;
  for (int32_t left = run->outputs; left > 0; --left) {
    const uint32_t *biases = run->block->biases, *weights = run->weights;
    depthwise_sums sums = start_sums(&biases);
    for (int32_t row = run->first, rows = run->rows; rows > 0; --rows, row = next_row(run, row)) {
      const uint32_t *inputs = cells(pixel + row);
#pragma GCC unroll 8
      for (int32_t step = 0; step < steps; ++step) {
        sums = add_own(sums, &inputs, &weights);
        inputs += step_bytes / 4 - 2;
      }
    }
    finish(sums, run->gains, run->offset, output, run->lanes);
    output += run->output_step;
    pixel += run->pixel_bytes;
  }
}

typedef struct {
  const uint8_t *a, *b, *c;
} depthwise_rows;

UNROLLED depthwise_rows three_rows(const rt_depthwise_run *run) {
  const int32_t second = next_row(run, run->first), third = next_row(run, second);
  return (depthwise_rows){run->ring + run->first, run->ring + second, run->ring + third};
}

/* No row of a filter of three is clipped. */
UNROLLED bool has_three_rows(const rt_depthwise_run *run) {
  return run->rows == 3 && run->weights == run->block->weights;
}

/* Three rows of three taps: everything that changes stays in registers. */
UNROLLED void own_3_by_3(const rt_depthwise_run *run, int8_t *output, int32_t lanes) {
  const depthwise_rows rows = three_rows(run);
  const uint32_t *a = cells(rows.a), *b = cells(rows.b), *c = cells(rows.c);
  const int32_t back = (int32_t)((uint32_t)run->pixel_bytes / 4) - 3 * 2;
  for (int32_t left = run->outputs; left > 0; --left) {
    const uint32_t *weights = run->block->biases; /* and on to what stands behind them */
    depthwise_sums sums = start_sums(&weights);
    sums = add_own(sums, &a, &weights);
    sums = add_own(sums, &a, &weights);
    sums = add_own(sums, &a, &weights);
    sums = add_own(sums, &b, &weights);
    sums = add_own(sums, &b, &weights);
    sums = add_own(sums, &b, &weights);
    sums = add_own(sums, &c, &weights);
    sums = add_own(sums, &c, &weights);
    sums = add_own(sums, &c, &weights);
    a += back;
    b += back;
    c += back;
    finish(sums, run->gains, run->offset, output, lanes);
    output += run->output_step;
  }
}

/* One tap, which the others may be clipped to. */
static void own_1(const rt_depthwise_run *run, int8_t *output) {
  const uint32_t *inputs = cells(run->ring + run->first);
  const int32_t back = (int32_t)((uint32_t)run->pixel_bytes / 4) - 2;
  if (run->rows != 1) {
    own_row(run, output, 1, 8);
    return;
  }
  for (int32_t left = run->outputs; left > 0; --left) {
    const uint32_t *biases = run->block->biases, *weights = run->weights;
    const depthwise_sums sums = start_sums(&biases);
    finish(add_own(sums, &inputs, &weights), run->gains, run->offset, output, run->lanes);
    output += run->output_step;
    inputs += back;
  }
}

static void own_3(const rt_depthwise_run *run, int8_t *output) {
  const bool whole = has_three_rows(run);
  if (whole && run->lanes == RT_DEPTHWISE_LANES) {
    own_3_by_3(run, output, RT_DEPTHWISE_LANES);
  } else if (whole) {
    own_3_by_3(run, output, run->lanes);
  } else {
    own_row(run, output, 3, 8);
  }
}
static void own_5(const rt_depthwise_run *run, int8_t *output) { own_row(run, output, 5, 8); }
static void own_7(const rt_depthwise_run *run, int8_t *output) { own_row(run, output, 7, 8); }
static void own_any(const rt_depthwise_run *run, int8_t *output) {
  own_row(run, output, run->steps, run->step_bytes);
}

UNROLLED void shared_row(const rt_depthwise_run *run, int8_t *output, int32_t steps, int32_t step_bytes) {
  const uint8_t *pixel = run->ring;
  for (int32_t left = run->outputs; left > 0; --left) {
    const uint32_t *biases = run->block->biases, *weights = run->weights;
    depthwise_sums sums = start_sums(&biases);
    for (int32_t row = run->first, rows = run->rows; rows > 0; --rows, row = next_row(run, row)) {
      const int8_t *inputs = (const int8_t *)pixel + row;
#pragma GCC unroll 8
      for (int32_t step = 0; step < steps; ++step) {
        sums = add_shared(sums, dsp_read(inputs), &weights);
        inputs += step_bytes;
      }
    }
    finish(sums, run->gains, run->offset, output, run->lanes);
    output += run->output_step;
    pixel += run->pixel_bytes;
  }
}

/* Three rows of three taps, in two steps each. */
static void shared_3_by_3(const rt_depthwise_run *run, int8_t *output) {
  depthwise_rows rows = three_rows(run);
  const int32_t pixel_bytes = run->pixel_bytes;
  for (int32_t left = run->outputs; left > 0; --left) {
    const uint32_t *weights = run->block->biases; /* and on to what stands behind them */
    depthwise_sums sums = start_sums(&weights);
    sums = add_shared(sums, dsp_read((const int8_t *)rows.a), &weights);
    sums = add_shared(sums, dsp_read((const int8_t *)rows.a + 4), &weights);
    sums = add_shared(sums, dsp_read((const int8_t *)rows.b), &weights);
    sums = add_shared(sums, dsp_read((const int8_t *)rows.b + 4), &weights);
    sums = add_shared(sums, dsp_read((const int8_t *)rows.c), &weights);
    sums = add_shared(sums, dsp_read((const int8_t *)rows.c + 4), &weights);
    rows = (depthwise_rows){rows.a + pixel_bytes, rows.b + pixel_bytes, rows.c + pixel_bytes};
    finish(sums, run->gains, run->offset, output, run->lanes);
    output += run->output_step;
  }
}

static void shared_2(const rt_depthwise_run *run, int8_t *output) {
  if (has_three_rows(run)) {
    shared_3_by_3(run, output);
  } else {
    shared_row(run, output, 2, 4);
  }
}
static void shared_3(const rt_depthwise_run *run, int8_t *output) { shared_row(run, output, 3, 4); }
static void shared_4(const rt_depthwise_run *run, int8_t *output) { shared_row(run, output, 4, 4); }
static void shared_any(const rt_depthwise_run *run, int8_t *output) {
  shared_row(run, output, run->steps, run->step_bytes);
}

UNROLLED void single_row(const rt_depthwise_run *run, int8_t *output, int32_t steps, int32_t step_bytes) {
  const uint8_t *pixel = run->ring;
  const rt_gain gain = {(int32_t)run->gains[0], (int32_t)run->gains[1]};
  for (int32_t left = run->outputs; left > 0; --left) {
    uint32_t sum = run->block->biases[0];
    const uint32_t *weights = run->weights;
    for (int32_t row = run->first, rows = run->rows; rows > 0; --rows, row = next_row(run, row)) {
      const int8_t *inputs = (const int8_t *)pixel + row;
#pragma GCC unroll 8
      for (int32_t step = 0; step < steps; ++step) {
        sum = dsp_smlad(dsp_read(inputs), *weights, sum);
        inputs += step_bytes;
        weights += 2;
      }
    }
    *output = (int8_t)rt_gain_apply((int32_t)sum, gain, run->offset);
    output += run->output_step;
    pixel += run->pixel_bytes;
  }
}

static void single_3_by_3(const rt_depthwise_run *run, int8_t *output) {
  depthwise_rows rows = three_rows(run);
  const uint32_t *weights = run->weights;
  const int32_t pixel_bytes = run->pixel_bytes, offset = run->offset;
  const rt_gain gain = {(int32_t)run->gains[0], (int32_t)run->gains[1]};
  for (int32_t left = run->outputs; left > 0; --left) {
    uint32_t sum = run->block->biases[0];
    sum = dsp_smlad(dsp_read((const int8_t *)rows.a), weights[0], sum);
    sum = dsp_smlad(dsp_read((const int8_t *)rows.a + 4), weights[2], sum);
    sum = dsp_smlad(dsp_read((const int8_t *)rows.b), weights[4], sum);
    sum = dsp_smlad(dsp_read((const int8_t *)rows.b + 4), weights[6], sum);
    sum = dsp_smlad(dsp_read((const int8_t *)rows.c), weights[8], sum);
    sum = dsp_smlad(dsp_read((const int8_t *)rows.c + 4), weights[10], sum);
    rows = (depthwise_rows){rows.a + pixel_bytes, rows.b + pixel_bytes, rows.c + pixel_bytes};
    *output = (int8_t)rt_gain_apply((int32_t)sum, gain, offset);
    output += run->output_step;
  }
}

static void single_2(const rt_depthwise_run *run, int8_t *output) {
  if (has_three_rows(run)) {
    single_3_by_3(run, output);
  } else {
    single_row(run, output, 2, 4);
  }
}
static void single_3(const rt_depthwise_run *run, int8_t *output) { single_row(run, output, 3, 4); }
static void single_4(const rt_depthwise_run *run, int8_t *output) { single_row(run, output, 4, 4); }
static void single_any(const rt_depthwise_run *run, int8_t *output) {
  single_row(run, output, run->steps, run->step_bytes);
}

rt_depthwise_row rt_depthwise_choose(const rt_depthwise_run *run, bool shared) {
  enum { KINDS = 3, WIDTHS = 8 };
  static const rt_depthwise_row rows[KINDS][WIDTHS] = {
      {[1] = own_1, [3] = own_3, [5] = own_5, [7] = own_7},
      {[2] = shared_2, [3] = shared_3, [4] = shared_4},
      {[2] = single_2, [3] = single_3, [4] = single_4},
  };
  static const rt_depthwise_row any[KINDS] = {own_any, shared_any, single_any};
  const int32_t kind = !shared ? 0 : run->lanes > 1 ? 1 : 2;
  const bool dense = run->step_bytes == (shared ? 4 : 8);
  const rt_depthwise_row found = dense && run->steps < WIDTHS ? rows[kind][run->steps] : NULL;
  return found != NULL ? found : any[kind];
}

#endif
