/* SPDX-License-Identifier: Apache-2.0 */
#include "../rt_gain.h"
#include "../rt_kernels.h"
#include "pool_dsp.h"

#if RT_DSP_KERNELS

/* To nearest, ties away from zero. */
static inline int8_t divide(uint32_t sum, int32_t count, int32_t half) {
  const int32_t signed_sum = (int32_t)sum;
  return (int8_t)((signed_sum + (signed_sum > 0 ? half : -half)) / count);
}

static void average(const rt_pool_patch *patch, int8_t *output) {
  const int32_t count = patch->rows * patch->taps, half = count / 2;
  for (int32_t channel = 0; channel < patch->channels; channel += RT_POOL_LANES) {
    const int32_t group = rt_pool_group(channel, patch->channels);
    uint32_t sums[RT_POOL_LANES] = {0};
    rt_pool_add_4(patch, group, sums);
    output[group] = divide(sums[0], count, half);
    output[group + 1] = divide(sums[1], count, half);
    output[group + 2] = divide(sums[2], count, half);
    output[group + 3] = divide(sums[3], count, half);
  }
}

static void average_few(const rt_pool_patch *patch, int8_t *output) {
  const int32_t count = patch->rows * patch->taps, half = count / 2;
  uint32_t sums[RT_POOL_LANES];
  rt_pool_add_few(patch, sums);
  for (int32_t channel = 0; channel < patch->channels; ++channel) {
    output[channel] = divide(sums[channel], count, half);
  }
}

void rt_average_pool_dsp_invoke(const rt_model *model, const void *kept) {
  const rt_pool_state *state = kept;
  const bool few = state->channels < RT_POOL_LANES;
  if (!few && state->columns.filter > RT_POOL_MAX_TAPS) {
    rt_average_pool_invoke(model, kept);
    return;
  }
  rt_pool_invoke(model, state, few ? average_few : average);
  const int32_t pixels = state->batches * state->rows.output * state->columns.output;
  rt_gain_clamp(rt_model_buffer(model, state->output), (uint32_t)(pixels * state->channels), state->range);
}

#endif
