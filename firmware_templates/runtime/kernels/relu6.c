/* SPDX-License-Identifier: Apache-2.0 */
/* RELU6 on its own. TensorFlow Lite Micro only clamps, and takes both ends from the input's quantisation: it
 * is right where the output has the same one, so anything else is refused. */
#include "relu6.h"

#include "../rt_kernels.h"

void rt_relu6_invoke(const rt_model *model, const void *kept) {
  const rt_relu6_state *state = kept;
  const int8_t *input = rt_model_data(model, state->input);
  int8_t *output = rt_model_buffer(model, state->output);
  for (int32_t i = 0; i < state->elements; ++i) {
    output[i] = (int8_t)rt_clamp(input[i], state->range);
  }
}

bool rt_relu6_prepare(rt_node *node) {
  rt_tensor input, output;
  rt_relu6_state state;
  if (!rt_node_input(node, 0, &input) || !rt_node_output(node, &output) ||
      !rt_node_expect_shape(node, &output, input.rank, input.dims) ||
      !rt_node_expect_same_quantization(node, &input, &output) ||
      !rt_node_activation(node, RT_ACTIVATION_RELU6, &input, &state.range)) {
    return false;
  }
  state.input = input.index;
  state.output = output.index;
  state.elements = input.elements;
  rt_node_in_place(node, 0, 0); /* each element is read before it is written */
  rt_relu6_state *kept = rt_node_keep(node, sizeof state);
  if (kept != NULL) {
    *kept = state;
  }
  return true;
}
