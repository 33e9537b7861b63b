/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the optimised CONV_2D and FULLY_CONNECTED.
 *
 * Some pixels' patches lie widened in working memory (widen_dsp.h). Each word of weights is widened once for
 * all these pixels; the sums stay in registers; no number of channels is a special case.
 */
#ifndef RT_KERNELS_DOT_DSP_H
#define RT_KERNELS_DOT_DSP_H

#include "../rt_node.h"

enum { RT_DOT_PIXELS = 6 }; /* at once: as many sums as there are registers for */

/* What is the same for all pixels of an operator. */
typedef struct {
  const int8_t *weights; /* channel after channel */
  const int32_t *bias;   /* NULL: none */
  const rt_factor *factors;
  uint32_t factor_step; /* 1: a factor for each channel, 0: one for all */
  bool gains;           /* the factors have become gains (rt_gain.h) */
  uint32_t taps;
  int32_t channels;
  int32_t output_offset;
  rt_range range;
} rt_dot_filters;

/* All channels of `pixels` (1 to RT_DOT_PIXELS) pixels, which lie consecutive in the output. */
void rt_dot_pixels(const rt_dot_filters *filters, uint32_t pixels, const uint32_t *words, int8_t *output);

#endif
