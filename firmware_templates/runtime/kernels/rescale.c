/* SPDX-License-Identifier: Apache-2.0 */
#include "rescale.h"

bool rt_rescale_read(rt_node *node, rt_tensor *input, rt_tensor *output, rt_rescale_state *state) {
  if (!rt_node_input(node, 0, input) || !rt_node_output(node, output) ||
      !rt_node_expect_shape(node, output, input->rank, input->dims)) {
    return false;
  }
  *state = (rt_rescale_state){.input = input->index,
                              .output = output->index,
                              .elements = input->elements,
                              .input_offset = -input->zero_point,
                              .output_offset = output->zero_point};
  return true;
}

void rt_rescale_keep(rt_node *node, const rt_rescale_state *state) {
  rt_node_in_place(node, 0, 0); /* each element is read before it is written */
  rt_rescale_state *kept = rt_node_keep(node, sizeof *state);
  if (kept != NULL) {
    *kept = *state;
  }
}

void rt_rescale_invoke(const rt_model *model, const rt_rescale_state *state) {
  const int8_t *input = rt_model_data(model, state->input);
  int8_t *output = rt_model_buffer(model, state->output);
  for (int32_t i = 0; i < state->elements; ++i) {
    output[i] =
        rt_requantize(input[i] + state->input_offset, state->factor, state->output_offset, state->range);
  }
}
