/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED: weights OI, scaled per tensor or per output unit. */
#include "fully_connected_common.h"

#include "../rt_kernels.h"
#include "dot.h"

static void connect(const rt_fully_connected_state *state, const int8_t *inputs, const int8_t *weights,
                    const int32_t *bias, int8_t *output) {
  const uint32_t depth = (uint32_t)state->depth;
  for (int32_t unit = 0; unit < state->units;) {
    uint32_t sums[RT_DOT_CHANNELS] = {0};
    const int32_t count = state->units - unit < RT_DOT_CHANNELS ? 1 : RT_DOT_CHANNELS;
    if (count == 1) {
      sums[0] = rt_dot_1(inputs, weights, depth, state->input_offset);
    } else {
      rt_dot_4(inputs, weights, depth, depth, state->input_offset, sums);
    }
    for (int32_t i = 0; i < count; ++i, ++unit) {
      const int32_t sum = (int32_t)(sums[i] + (bias == NULL ? 0 : (uint32_t)bias[unit]));
      const rt_factor factor = state->factors[(uint32_t)unit * state->factor_step];
      *output++ = rt_requantize(sum, factor, state->output_offset, state->range);
    }
    weights += (uint32_t)count * depth;
  }
}

void rt_fully_connected_invoke(const rt_model *model, const void *kept) {
  const rt_fully_connected_state *state = kept;
  const int8_t *inputs = rt_model_data(model, state->input), *weights = rt_model_data(model, state->weights);
  const int32_t *bias = state->bias == RT_NONE ? NULL : rt_model_data(model, state->bias);
  int8_t *output = rt_model_buffer(model, state->output);
  for (int32_t batch = 0; batch < state->batches; ++batch) {
    connect(state, inputs, weights, bias, output);
    inputs += state->depth;
    output += state->units;
  }
}

bool rt_fully_connected_prepare(rt_node *node) {
  rt_fully_connected_state state, *kept;
  return rt_fully_connected_read(node, &state, &kept);
}
