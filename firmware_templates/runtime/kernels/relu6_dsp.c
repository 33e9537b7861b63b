/* SPDX-License-Identifier: Apache-2.0 */
/* RELU6 is a copy, where it is not in place, and a clamp: four bytes at a time. */
#include "relu6.h"

#include <string.h>

#include "../rt_gain.h"
#include "../rt_kernels.h"

#if RT_DSP_KERNELS

void rt_relu6_dsp_invoke(const rt_model *model, const void *kept) {
  const rt_relu6_state *state = kept;
  const int8_t *input = rt_model_data(model, state->input);
  int8_t *output = rt_model_buffer(model, state->output);
  if (output != input) {
    memcpy(output, input, (size_t)state->elements);
  }
  rt_gain_clamp(output, (uint32_t)state->elements, state->range);
}

#endif
