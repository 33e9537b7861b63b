/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs and weights of a block of channels as halves of words, where the loops of depthwise_run.c want them.
 */
#ifndef RT_KERNELS_DEPTHWISE_WIDEN_H
#define RT_KERNELS_DEPTHWISE_WIDEN_H

#include <stdbool.h>

#include "../rt_dsp.h"

enum { RT_DEPTHWISE_LANES = 4 };

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

#endif
