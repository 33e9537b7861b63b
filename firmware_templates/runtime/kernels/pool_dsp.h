/* SPDX-License-Identifier: Apache-2.0 */
/* Four channels of a pool at a time. Channels that four does not divide end in a group that overlaps the one
 * before; with fewer than four they are summed one by one. */
#ifndef RT_KERNELS_POOL_DSP_H
#define RT_KERNELS_POOL_DSP_H

#include "../rt_dsp.h"
#include "pool.h"

enum {
  RT_POOL_LANES = 4,
  RT_POOL_MAX_TAPS = 256, /* int8 values that 16 bits can sum */
};

/* Where the group at a channel really starts. */
static inline int32_t rt_pool_group(int32_t channel, int32_t channels) {
  return channel < channels - RT_POOL_LANES ? channel : channels - RT_POOL_LANES;
}

/* sums[k] += the sum over all taps of channel + k. At most RT_POOL_MAX_TAPS in a row. */
void rt_pool_add_4(const rt_pool_patch *patch, int32_t channel, uint32_t sums[RT_POOL_LANES]);

/* The same for all channels where they are fewer than four. */
void rt_pool_add_few(const rt_pool_patch *patch, uint32_t sums[RT_POOL_LANES]);

#endif
