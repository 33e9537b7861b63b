/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of CONV_2D and FULLY_CONNECTED.
 *
 * Sums are unsigned because a broken model may overflow them, which must stay defined. */
#ifndef RT_KERNELS_DOT_H
#define RT_KERNELS_DOT_H

#include <stdint.h>

enum { RT_DOT_CHANNELS = 4 };

/* sums[k] += sum over i of (inputs[i] + offset) * weights[k * stride + i], for four output channels at once:
 * each input is read and offset once for four products. */
void rt_dot_4(const int8_t *inputs, const int8_t *weights, uint32_t stride, uint32_t count, int32_t offset,
              uint32_t sums[RT_DOT_CHANNELS]);

/* The same for one channel: what is left of a number of channels that four does not divide. */
uint32_t rt_dot_1(const int8_t *inputs, const int8_t *weights, uint32_t count, int32_t offset);

#endif
