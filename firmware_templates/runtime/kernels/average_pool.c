/* SPDX-License-Identifier: Apache-2.0 */
/* AVERAGE_POOL_2D: the mean of the taps inside the input, to nearest, ties away from zero. */
#include "../rt_kernels.h"
#include "pool.h"

static void average(const rt_pool_patch *patch, int8_t *output) {
  const int32_t count = patch->rows * patch->taps;
  for (int32_t channel = 0; channel < patch->channels; ++channel) {
    const int8_t *row = patch->inputs + channel;
    int32_t sum = 0;
    for (int32_t y = 0; y < patch->rows; ++y) {
      const int8_t *input = row;
      for (int32_t tap = 0; tap < patch->taps; ++tap) {
        sum += *input;
        input += patch->channels;
      }
      row += patch->row_step;
    }
    const int32_t half = sum > 0 ? count / 2 : -(count / 2);
    output[channel] = (int8_t)rt_clamp((sum + half) / count, patch->range);
  }
}

bool rt_average_pool_prepare(rt_node *node) { return rt_pool_prepare(node); }

void rt_average_pool_invoke(const rt_model *model, const void *state) {
  rt_pool_invoke(model, state, average);
}
