/* SPDX-License-Identifier: Apache-2.0 */
/* From sums to int8 outputs in seven instructions of Armv7E-M, to the bit as rt_requantize does it.
 *
 * A gain is a factor below one half, in the eight bytes of the rt_factor that it replaces. Nearly all factors
 * of real models are below: an operator that has another one, or a sum whose result overflows, takes the
 * plain kernel's way.
 *
 *   rt_multiply_high(x, m) = round(2xm / 2^32) = round((x * 2^32 + x * (2m - 2^32)) / 2^32)
 *
 * which is SMMLAR(x, 2m - 2^32, x): 2m - 2^32 is a signed 32-bit number because 2^30 <= m < 2^31. And
 *
 *   rt_shift_right(h, s) + zero_point = (((h - (h < 0)) >> (s - 1)) + 2 * zero_point + 1) >> 1
 *
 * whose last shift SSAT does on the way. Works on cores without the DSP extension through rt_dsp.h's
 * emulation.
 */
#ifndef RT_GAIN_H
#define RT_GAIN_H

#include "rt_dsp.h"
#include "rt_fixed_point.h"

typedef struct {
  int32_t slope; /* 2 * multiplier - 2^32 */
  int32_t shift; /* right, one less than the factor's: 0 to 31 */
} rt_gain;

/* Rewrite `count` factors as gains, where they lie. False, and nothing is written, if one is not below 1/2.
 */
bool rt_gain_rewrite(rt_factor *factors, uint32_t count);

/* What rt_gain_apply wants in place of the output's zero point: one register for all channels. */
static inline int32_t rt_gain_offset(int32_t zero_point) { return 2 * zero_point + 1; }

/* Twice the scaled sum, less one, before the last rounding: (that + 1) >> 1 is rt_scale's result. */
static inline int32_t rt_gain_double(int32_t sum, rt_gain gain) {
  const int32_t high = dsp_smmlar(sum, gain.slope, sum);
  return (high + (high >> 31)) >> gain.shift;
}

/* The output for a sum, in -128 to 127; where that is not the whole range, rt_gain_clamp follows. */
static inline int32_t rt_gain_apply(int32_t sum, rt_gain gain, int32_t offset) {
  return dsp_ssat8(dsp_qadd(rt_gain_double(sum, gain), offset) >> 1);
}

/* Hold finished outputs in a range: nothing to do, and not done, if it is that of int8. */
void rt_gain_clamp(int8_t *outputs, uint32_t count, rt_range range);

#endif
