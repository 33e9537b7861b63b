/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the optimised DEPTHWISE_CONV_2D: one row of outputs of up to four channels. */
#ifndef RT_KERNELS_DEPTHWISE_RUN_H
#define RT_KERNELS_DEPTHWISE_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "../rt_gain.h"

enum { RT_DEPTHWISE_LANES = 4 };

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

/* Weights of a row of taps, which lie `channels` bytes apart: channels 0 and 2, then 1 and 3. Gives the end.
 */
uint32_t *rt_depthwise_pack(uint32_t *packed, const int8_t *weights, int32_t channels, int32_t taps,
                            int32_t lanes);
/* The same for a shared input: taps 0 and 1 of each channel, and so on; or, not in pairs, one tap each. */
uint32_t *rt_depthwise_pack_shared(uint32_t *packed, const int8_t *weights, int32_t channels, int32_t taps,
                                   int32_t lanes, bool pairs);

/* How rows of the input are widened into the ring. */
typedef struct {
  int32_t width, channels, lanes;
  int32_t left;     /* columns of padding; they are zero, and stay so */
  uint32_t offsets; /* the input offset, in both halves */
} rt_depthwise_source;

/* A row of the input, widened and with the offset added, behind the padding. */
void rt_depthwise_load(const rt_depthwise_source *source, const int8_t *input, uint8_t *slot);
void rt_depthwise_load_shared(const rt_depthwise_source *source, const int8_t *input, uint8_t *slot);

/* Up to four bytes as one word; never reads more. */
static inline uint32_t rt_depthwise_read(const int8_t *bytes, int32_t lanes) {
  if (lanes == RT_DEPTHWISE_LANES) {
    return dsp_read(bytes);
  }
  uint32_t word = (uint8_t)bytes[0];
  if (lanes > 1) {
    word |= (uint32_t)(uint8_t)bytes[1] << 8;
  }
  if (lanes > 2) {
    word |= (uint32_t)(uint8_t)bytes[2] << 16;
  }
  return word;
}

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
