/* SPDX-License-Identifier: Apache-2.0 */
#include "../rt_gain.h"
#include "../rt_kernels.h"
#include "pool_dsp.h"

#if RT_DSP_KERNELS

static void maximum(const rt_pool_patch *patch, int8_t *output) {
  const int32_t step = patch->channels;
  for (int32_t channel = 0; channel < patch->channels; channel += RT_POOL_LANES) {
    const int32_t group = rt_pool_group(channel, patch->channels);
    const int8_t *row = patch->inputs + group;
    uint32_t largest = dsp_read(row);
    for (int32_t left = patch->rows; left > 0; --left) {
      const int8_t *input = row;
      for (int32_t tap = patch->taps; tap > 0; --tap) {
        largest = dsp_max_bytes(largest, dsp_read(input));
        input += step;
      }
      row += patch->row_step;
    }
    dsp_write(output + group, largest);
  }
}

static void maximum_of_few(const rt_pool_patch *patch, int8_t *output) {
  const int32_t channels = patch->channels;
  for (int32_t channel = 0; channel < channels; ++channel) {
    const int8_t *row = patch->inputs + channel;
    int32_t largest = INT8_MIN;
    for (int32_t left = patch->rows; left > 0; --left) {
      const int8_t *input = row;
      for (int32_t tap = patch->taps; tap > 0; --tap) {
        largest = *input > largest ? *input : largest;
        input += channels;
      }
      row += patch->row_step;
    }
    output[channel] = (int8_t)largest;
  }
}

void rt_max_pool_dsp_invoke(const rt_model *model, const void *kept) {
  const rt_pool_state *state = kept;
  rt_pool_invoke(model, state, state->channels < RT_POOL_LANES ? maximum_of_few : maximum);
  const int32_t pixels = state->batches * state->rows.output * state->columns.output;
  rt_gain_clamp(rt_model_buffer(model, state->output), (uint32_t)(pixels * state->channels), state->range);
}

#endif
