/* SPDX-License-Identifier: Apache-2.0 */
#include "rt_gain.h"

#if RT_DSP_KERNELS

/* SMMLAR of it gives half of the sum, of which nothing but the sign is left; and the rounding takes that
 * away. */
static const rt_gain ZERO = {INT32_MIN, 31};

bool rt_gain_rewrite(rt_factor *factors, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    const rt_factor factor = factors[i];
    if (factor.shift > -1 && factor.multiplier != 0) {
      return false;
    }
  }
  for (uint32_t i = 0; i < count; ++i) {
    const rt_factor factor = factors[i];
    rt_gain gain = ZERO;
    if (factor.multiplier != 0) {
      gain = (rt_gain){(int32_t)((uint32_t)factor.multiplier << 1), -factor.shift - 1};
    }
    memcpy(&factors[i], &gain, sizeof gain);
  }
  return true;
}

void rt_gain_clamp(int8_t *outputs, uint32_t count, rt_range range) {
  if (range.low == INT8_MIN && range.high == INT8_MAX) {
    return;
  }
  const uint32_t low = 0x01010101U * (uint8_t)range.low, high = 0x01010101U * (uint8_t)range.high;
  for (uint32_t words = count / 4; words > 0; --words) {
    dsp_write(outputs, dsp_min_bytes(dsp_max_bytes(dsp_read(outputs), low), high));
    outputs += 4;
  }
  for (uint32_t left = count % 4; left > 0; --left) {
    *outputs = (int8_t)rt_clamp(*outputs, range);
    ++outputs;
  }
}

#endif
