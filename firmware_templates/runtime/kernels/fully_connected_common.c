/* SPDX-License-Identifier: Apache-2.0 */
#include "fully_connected_common.h"

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

bool rt_fully_connected_read(rt_node *node, rt_fully_connected_state *state,
                             rt_fully_connected_state **kept) {
  rt_tensor input, weights, bias, output;
  *kept = NULL;
  if (!rt_node_expect_options(node, RT_OPTIONS_FULLY_CONNECTED) || !rt_node_input(node, 0, &input) ||
      !rt_node_weights(node, 1, 0, &weights) || !rt_node_output(node, &output) ||
      !rt_node_expect_rank(node, &weights, 2) || !rt_node_bias(node, 2, weights.dims[0], &bias) ||
      !rt_node_activation(node, rt_node_option_u8(node, RT_FULLY_CONNECTED_ACTIVATION), &output,
                          &state->range)) {
    return false;
  }
  if (rt_node_option_u8(node, RT_FULLY_CONNECTED_WEIGHTS_FORMAT) != 0) {
    return rt_node_unsupported(node, "shuffled weights");
  }
  if (!expect_bias_scale(node, &input, &weights, &bias, &output)) {
    return false;
  }
  state->units = weights.dims[0];
  state->depth = weights.dims[1];
  state->batches = input.elements / state->depth;
  if (input.elements % state->depth != 0 || output.rank < 1 || output.dims[output.rank - 1] != state->units ||
      output.elements / state->units != state->batches) {
    return rt_node_broken(node, "its shapes do not follow from the weights'");
  }
  state->input = input.index;
  state->weights = weights.index;
  state->bias = bias.index;
  state->output = output.index;
  state->scratch = rt_node_scratch_index(node);
  state->input_offset = -input.zero_point;
  state->output_offset = output.zero_point;
  state->factor_step = weights.scales.count > 1;
  state->pixels = 1;
  state->gains = false;
  const uint32_t factors = rt_fully_connected_factors(state);
  *kept = rt_node_keep(node, sizeof *state + factors * sizeof state->factors[0]);
  if (*kept == NULL) {
    return true;
  }
  **kept = *state;
  return rt_node_channel_factors(node, &input, &weights, &output, factors, (*kept)->factors);
}
