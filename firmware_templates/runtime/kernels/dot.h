/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of CONV_2D and FULLY_CONNECTED.
 *
 * Four output channels at once read and offset each input once for four products: about three instructions a
 * product on Armv7E-M. Sums are unsigned because a broken model may overflow them, which must stay defined.
 */
#ifndef RT_KERNELS_DOT_H
#define RT_KERNELS_DOT_H

#include <stdint.h>

enum { RT_DOT_CHANNELS = 4 };

/* sums[k] += sum over i of (inputs[i] + offset) * weights[k * stride + i] */
static inline void rt_dot_4(const int8_t *inputs, const int8_t *weights, uint32_t stride, uint32_t count,
                            int32_t offset, uint32_t sums[RT_DOT_CHANNELS]) {
  const int8_t *w0 = weights, *w1 = w0 + stride, *w2 = w1 + stride, *w3 = w2 + stride;
  uint32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
  for (uint32_t i = 0; i < count; ++i) {
    const int32_t x = inputs[i] + offset;
    s0 += (uint32_t)(x * w0[i]);
    s1 += (uint32_t)(x * w1[i]);
    s2 += (uint32_t)(x * w2[i]);
    s3 += (uint32_t)(x * w3[i]);
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}

/* The same for one channel: what is left of a number of channels that four does not divide. */
static inline uint32_t rt_dot_1(const int8_t *inputs, const int8_t *weights, uint32_t count, int32_t offset) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < count; ++i) {
    sum += (uint32_t)((inputs[i] + offset) * weights[i]);
  }
  return sum;
}

#endif
