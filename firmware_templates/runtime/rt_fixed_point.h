/* SPDX-License-Identifier: Apache-2.0 */
/* Real factors as integers, and the rounding that the int8 kernels share.
 *
 * A factor is multiplier / 2^31 * 2^shift. Scaling rounds twice, as TensorFlow Lite Micro does on every core:
 * first the doubled high half of the 64-bit product, to nearest with ties up; then the right shift, to
 * nearest with ties away from zero. (B. Jacob et al., "Quantization and Training of Neural Networks for
 * Efficient Integer-Arithmetic-Only Inference", arXiv:1712.05877, section 2.2 and appendix B.)
 * rt_gain.h does the same in seven instructions of Armv7E-M. */
#ifndef RT_FIXED_POINT_H
#define RT_FIXED_POINT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  int32_t multiplier; /* never negative */
  int32_t shift;      /* -31 to 30 */
} rt_factor;

typedef struct {
  int32_t low, high;
} rt_range;

/* round(a * b / 2^31), ties up. a and b must not both be INT32_MIN. */
static inline int32_t rt_multiply_high(int32_t a, int32_t b) {
  return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

/* round(x / 2^bits), ties away from zero; 0 <= bits <= 31. */
static inline int32_t rt_shift_right(int32_t x, int32_t bits) {
  const int32_t mask = (int32_t)((UINT32_C(1) << bits) - 1);
  const int32_t threshold = (mask >> 1) + (x < 0);
  return (x >> bits) + ((x & mask) > threshold);
}

/* x << bits, wrapping where TensorFlow Lite Micro's result is undefined. */
static inline int32_t rt_shift_left(int32_t x, int32_t bits) { return (int32_t)((uint32_t)x << bits); }

static inline int32_t rt_scale(int32_t x, rt_factor factor) {
  if (factor.shift > 0) {
    return rt_multiply_high(rt_shift_left(x, factor.shift), factor.multiplier);
  }
  return rt_shift_right(rt_multiply_high(x, factor.multiplier), -factor.shift);
}

static inline int32_t rt_clamp(int32_t x, rt_range range) {
  return x < range.low ? range.low : x > range.high ? range.high : x;
}

/* From a sum to an int8 output: scaled, moved to the zero point, held in range. Wraps where a broken model
 * makes the sum overflow. */
static inline int8_t rt_requantize(int32_t sum, rt_factor factor, int32_t zero_point, rt_range range) {
  return (int8_t)rt_clamp((int32_t)((uint32_t)rt_scale(sum, factor) + (uint32_t)zero_point), range);
}

/* The nearest factor of a real number >= 0. Below 2^-32 it is zero; false if it is no number below 2^30. */
bool rt_factor_from_real(double real, rt_factor *factor);

/* round(x), ties away from zero, for 0 <= x < 2^31. */
int32_t rt_round(float x);

#endif
