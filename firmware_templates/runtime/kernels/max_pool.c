/* SPDX-License-Identifier: Apache-2.0 */
/* MAX_POOL_2D: the largest of the taps inside the input. */
#include "../rt_kernels.h"
#include "pool.h"

static void maximum(const rt_pool_patch *patch, int8_t *output) {
  for (int32_t channel = 0; channel < patch->channels; ++channel) {
    const int8_t *row = patch->inputs + channel;
    int32_t largest = INT8_MIN;
    for (int32_t y = 0; y < patch->rows; ++y) {
      const int8_t *input = row;
      for (int32_t tap = 0; tap < patch->taps; ++tap) {
        largest = *input > largest ? *input : largest;
        input += patch->channels;
      }
      row += patch->row_step;
    }
    output[channel] = (int8_t)rt_clamp(largest, patch->range);
  }
}

bool rt_max_pool_prepare(rt_node *node) { return rt_pool_prepare(node); }

void rt_max_pool_invoke(const rt_model *model, const void *state) { rt_pool_invoke(model, state, maximum); }
