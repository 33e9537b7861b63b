/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the optimised DEPTHWISE_CONV_2D: one row of outputs of up to four channels. */
#ifndef RT_KERNELS_DEPTHWISE_RUN_H
#define RT_KERNELS_DEPTHWISE_RUN_H

#include <stdbool.h>

#include "../rt_gain.h"
#include "depthwise_widen.h"

/* All that belongs to the channels of a block, side by side. */
typedef struct {
  uint32_t biases[RT_DEPTHWISE_LANES];
  uint32_t weights[]; /* two words a step; four where lanes share their input */
} rt_depthwise_block;

typedef struct {
  const rt_depthwise_block *block;
  const uint32_t *gains;   /* of the block's channels: rt_gain by rt_gain */
  const uint32_t *weights; /* of the first row of taps that counts */
  const uint8_t *ring;
  int32_t first, row_step, ring_bytes; /* rows of the ring, in bytes from its start */
  int32_t rows, steps;                 /* of taps; a step is one tap, or two that share a word */
  int32_t step_bytes, pixel_bytes;     /* from step to step, from output to output */
  int32_t outputs, output_step, lanes;
  int32_t offset; /* rt_gain_offset */
} rt_depthwise_run;

typedef void (*rt_depthwise_row)(const rt_depthwise_run *run, int8_t *output);

/* What a single output sees, where widening it would not pay: it is read once. */
typedef struct {
  const int8_t *inputs, *weights; /* of the block's first channel */
  int32_t rows, taps;
  int32_t input_row_step, input_step, weight_row_step, weight_step;
  uint32_t offsets; /* as in rt_depthwise_source */
} rt_depthwise_patch;

void rt_depthwise_pixel(const rt_depthwise_patch *patch, const rt_depthwise_run *run, int8_t *output);

/* The fastest loop for rows of this kind. */
rt_depthwise_row rt_depthwise_choose(const rt_depthwise_run *run, bool shared);

#endif
