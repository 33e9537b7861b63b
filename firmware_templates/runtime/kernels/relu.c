/* SPDX-License-Identifier: Apache-2.0 */
/* RELU on its own: rescales to the output's quantisation, and cuts at its zero point. */
#include "../rt_kernels.h"
#include "rescale.h"

bool rt_relu_prepare(rt_node *node) {
  rt_tensor input, output;
  rt_rescale_state state;
  if (!rt_rescale_read(node, &input, &output, &state)) {
    return false;
  }
  if (!rt_node_factor(node, (double)input.scale / (double)output.scale, &state.factor) ||
      !rt_node_activation(node, RT_ACTIVATION_RELU, &output, &state.range)) {
    return false;
  }
  rt_rescale_keep(node, &state);
  return true;
}

void rt_relu_invoke(const rt_model *model, const void *state) { rt_rescale_invoke(model, state); }
