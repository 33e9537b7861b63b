/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED: weights OI, scaled per tensor or per output unit. */
#include "../rt_kernels.h"
#include "dot.h"

typedef struct {
  uint32_t input, weights, bias, output;
  int32_t batches, depth, units;
  int32_t input_offset, output_offset;
  rt_range range;
  uint32_t factor_step; /* 1: a factor for each unit, 0: one for all */
  rt_factor factors[];
} fully_connected_state;

static void connect(const fully_connected_state *state, const int8_t *inputs, const int8_t *weights,
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
  const fully_connected_state *state = kept;
  const int8_t *inputs = rt_model_data(model, state->input), *weights = rt_model_data(model, state->weights);
  const int32_t *bias = state->bias == RT_NONE ? NULL : rt_model_data(model, state->bias);
  int8_t *output = rt_model_room(model, state->output);
  for (int32_t batch = 0; batch < state->batches; ++batch) {
    connect(state, inputs, weights, bias, output);
    inputs += state->depth;
    output += state->units;
  }
}

/* With one scale for all units, TensorFlow Lite Micro refuses a bias whose own scale is not near the
 * products'. */
static bool expect_bias_scale(rt_node *node, const rt_tensor *input, const rt_tensor *weights,
                              const rt_tensor *bias, const rt_tensor *output) {
  if (bias->index == RT_NONE || weights->scales.count > 1) {
    return true;
  }
  const double difference = (double)input->scale * (double)weights->scale - (double)bias->scale;
  const double relative = difference / (double)output->scale;
  return (relative <= 0.02 && relative >= -0.02) ||
         rt_node_unsupported(node, "the bias' scale is not input scale * weight scale");
}

bool rt_fully_connected_prepare(rt_node *node) {
  rt_tensor input, weights, bias, output;
  fully_connected_state state;
  if (!rt_node_expect_options(node, RT_OPTIONS_FULLY_CONNECTED) || !rt_node_input(node, 0, &input) ||
      !rt_node_weights(node, 1, 0, &weights) || !rt_node_output(node, &output) ||
      !rt_node_expect_rank(node, &weights, 2) || !rt_node_bias(node, 2, weights.dims[0], &bias) ||
      !rt_node_activation(node, rt_node_option_u8(node, RT_FULLY_CONNECTED_ACTIVATION), &output,
                          &state.range)) {
    return false;
  }
  if (rt_node_option_u8(node, RT_FULLY_CONNECTED_WEIGHTS_FORMAT) != 0) {
    return rt_node_unsupported(node, "shuffled weights");
  }
  if (!expect_bias_scale(node, &input, &weights, &bias, &output)) {
    return false;
  }
  state.units = weights.dims[0];
  state.depth = weights.dims[1];
  state.batches = input.elements / state.depth;
  if (input.elements % state.depth != 0 || output.rank < 1 || output.dims[output.rank - 1] != state.units ||
      output.elements / state.units != state.batches) {
    return rt_node_broken(node, "its shapes do not follow from the weights'");
  }
  state.input = input.index;
  state.weights = weights.index;
  state.bias = bias.index;
  state.output = output.index;
  state.input_offset = -input.zero_point;
  state.output_offset = output.zero_point;
  state.factor_step = weights.scales.count > 1;
  const uint32_t factors = state.factor_step != 0 ? (uint32_t)state.units : 1;
  fully_connected_state *kept = rt_node_keep(node, sizeof state + factors * sizeof state.factors[0]);
  if (kept == NULL) {
    return true;
  }
  *kept = state;
  return rt_node_channel_factors(node, &input, &weights, &output, factors, kept->factors);
}
