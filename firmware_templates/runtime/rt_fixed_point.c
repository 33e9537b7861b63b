/* SPDX-License-Identifier: Apache-2.0 */
#include "rt_fixed_point.h"

#include <string.h>

bool rt_factor_from_real(double real, rt_factor *factor) {
  enum { FRACTION_BITS = 52, EXPONENT_BIAS = 1022, EXPONENT_SPECIAL = 0x7FF, DROPPED_BITS = 53 - 31 };
  uint64_t bits;
  memcpy(&bits, &real, sizeof bits); /* frexp would need libm */
  const int32_t exponent = (int32_t)(bits >> FRACTION_BITS);
  factor->multiplier = 0;
  factor->shift = 0;
  if (exponent >= EXPONENT_SPECIAL) { /* infinite, no number, or the sign is set */
    return false;
  }
  const uint64_t fraction = (bits & ((UINT64_C(1) << FRACTION_BITS) - 1)) | UINT64_C(1) << FRACTION_BITS;
  uint64_t multiplier = (fraction + (UINT64_C(1) << (DROPPED_BITS - 1))) >> DROPPED_BITS;
  int32_t shift = exponent - EXPONENT_BIAS;
  if (multiplier == UINT64_C(1) << 31) {
    multiplier >>= 1;
    ++shift;
  }
  if (shift < -31) { /* zero and subnormals too */
    return true;
  }
  factor->multiplier = (int32_t)multiplier;
  factor->shift = shift;
  return shift <= 30;
}

int32_t rt_round(float x) {
  const int32_t whole = (int32_t)x;
  return whole + (x - (float)whole >= 0.5F);
}
