/* SPDX-License-Identifier: Apache-2.0 */
/* Patches of the input as the inner loops want them: 16 bits a tap, the input's offset added.
 *
 * The taps come in groups of four (the last t < 4 taps: in a group of the last four, in which all but t are
 * 0), and a group in two words: taps 0 and 2, then taps 1 and 3, which is how SXTB16 takes bytes out of a
 * word of weights. The groups of some pixels are interleaved: the first group of each pixel, then the second,
 * ... */
#ifndef RT_KERNELS_WIDEN_DSP_H
#define RT_KERNELS_WIDEN_DSP_H

#include "../rt_dsp.h"

/* Words that a patch takes. */
static inline uint32_t rt_widen_words(uint32_t taps) { return (taps + 3) / 4 * 2; }

/* The input's offset, as it is added to two taps. */
static inline uint32_t rt_widen_offsets(int32_t offset) {
  return ((uint32_t)offset & 0xFFFFU) | (uint32_t)offset << 16;
}

/* Four bytes that end at `end`; if there are fewer than four taps at all, 0 stands for the others. */
static inline uint32_t rt_widen_read_last(const int8_t *end, uint32_t taps) {
  if (taps >= 4) {
    return dsp_read(end - 4);
  }
  uint32_t word = 0;
  for (uint32_t i = taps; i > 0; --i) {
    word = word >> 8 | (uint32_t)(uint8_t)end[-(int32_t)i] << 24;
  }
  return word;
}

/* Consecutive inputs; `step` words from group to group. Gives where the pixel's next group goes. */
uint32_t *rt_widen_groups(const int8_t *inputs, uint32_t groups, uint32_t offsets, uint32_t *words,
                          uint32_t step);

/* Taps outside of the input. */
uint32_t *rt_widen_zeros(uint32_t groups, uint32_t *words, uint32_t step);

/* A whole patch of consecutive inputs. */
void rt_widen_patch(const int8_t *inputs, uint32_t taps, uint32_t offsets, uint32_t *words, uint32_t step);

#endif
