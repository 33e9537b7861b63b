/* SPDX-License-Identifier: Apache-2.0 */
/* MEAN over rows and columns, which is how networks end: a pool over the whole image. */
#include "mean.h"

#include "../rt_kernels.h"
#include "pool_dsp.h"

#if RT_DSP_KERNELS

/* Nothing reduced but dimensions 1 and 2, one image. */
static bool is_pool(const rt_mean_state *state) {
  const int32_t *dims = state->dims, *steps = state->steps;
  return dims[0] == 1 && steps[1] == 0 && steps[2] == 0 && steps[3] == 1;
}

void rt_mean_dsp_invoke(const rt_model *model, const void *kept) {
  const rt_mean_state *state = kept;
  const int32_t channels = state->dims[3];
  if (!is_pool(state) || channels < RT_POOL_LANES || state->dims[2] > RT_POOL_MAX_TAPS) {
    rt_mean_invoke(model, kept);
    return;
  }
  const rt_range range = {INT8_MIN, INT8_MAX};
  const rt_pool_patch patch = {.inputs = rt_model_data(model, state->input),
                               .rows = state->dims[1],
                               .taps = state->dims[2],
                               .row_step = state->dims[2] * channels,
                               .channels = channels};
  int8_t *output = rt_model_buffer(model, state->output);
  for (int32_t channel = 0; channel < channels; channel += RT_POOL_LANES) {
    const int32_t group = rt_pool_group(channel, channels);
    uint32_t sums[RT_POOL_LANES] = {0};
    rt_pool_add_4(&patch, group, sums);
    for (int32_t lane = 0; lane < RT_POOL_LANES; ++lane) {
      const int32_t sum = (int32_t)(sums[lane] + (uint32_t)state->input_offset);
      output[group + lane] = rt_requantize(sum, state->factor, state->output_offset, range);
    }
  }
}

#endif
