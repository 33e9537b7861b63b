/* SPDX-License-Identifier: Apache-2.0 */
/* Gains against the factors that they replace, over drawn sums: `gain_check COUNT`. Many sums lie where a
 * rounding goes the other way, or at the ends of 32 bits. Exit code 1 and one line for each difference. */
#include <stdio.h>
#include <stdlib.h>

#include "rt_gain.h"

static uint64_t random_state = UINT64_C(88172645463325252);

/* xorshift64 (G. Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14), 2003). */
static uint32_t draw(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (uint32_t)(random_state >> 16);
}

static rt_factor draw_factor(void) {
  const uint32_t kind = draw() % 20;
  rt_factor factor = {(int32_t)(1U << 30 | draw() >> 2), -1 - (int32_t)(draw() % 31)};
  if (kind == 0) {
    factor = (rt_factor){0, 0};
  } else if (kind == 1) {
    factor.multiplier = 1 << 30;
  } else if (kind == 2) {
    factor.multiplier = INT32_MAX;
  }
  return factor;
}

/* A sum whose output is a half, or nearly; or any other. */
static int32_t draw_sum(rt_factor factor) {
  switch (draw() % 8) {
  case 0:
    return draw() % 2 == 0 ? INT32_MIN : INT32_MAX;
  case 1:
  case 2:
  case 3: {
    const double wanted = (double)(draw() % 600) - 299.5;
    const double scale = (double)factor.multiplier / 2147483648.0 / (double)(INT64_C(1) << -factor.shift);
    const double sum = factor.multiplier == 0 ? 0.0 : wanted / scale;
    const double nearby = sum + (double)(draw() % 5) - 2.0;
    return nearby < -2147483648.0 ? INT32_MIN : nearby > 2147483647.0 ? INT32_MAX : (int32_t)nearby;
  }
  default:
    return (int32_t)draw() >> draw() % 32;
  }
}

int main(int count, char **arguments) {
  const rt_range range = {INT8_MIN, INT8_MAX};
  long different = 0;
  for (long left = count < 2 ? 0 : strtol(arguments[1], NULL, 10); left > 0; --left) {
    const rt_factor factor = draw_factor();
    rt_factor rewritten = factor;
    rt_gain gain;
    if (!rt_gain_rewrite(&rewritten, 1)) {
      printf("no gain for %d, %d\n", (int)factor.multiplier, (int)factor.shift);
      return 1;
    }
    memcpy(&gain, &rewritten, sizeof gain);
    const int32_t sum = draw_sum(factor), zero_point = (int32_t)(draw() % 256) - 128;
    const int32_t expected = rt_requantize(sum, factor, zero_point, range);
    const int32_t output = rt_gain_apply(sum, gain, rt_gain_offset(zero_point));
    if (output != expected) {
      printf("sum %d, factor %d, %d, zero point %d: %d, not %d\n", (int)sum, (int)factor.multiplier,
             (int)factor.shift, (int)zero_point, (int)output, (int)expected);
      ++different;
    }
  }
  return different != 0;
}
