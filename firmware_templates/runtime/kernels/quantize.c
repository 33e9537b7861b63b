/* SPDX-License-Identifier: Apache-2.0 */
/* QUANTIZE from int8 to int8: another scale and zero point. (From float: refused where tensors are read.) */
#include "../rt_kernels.h"
#include "rescale.h"

bool rt_quantize_prepare(rt_node *node) {
  rt_tensor input, output;
  rt_rescale_state state;
  if (!rt_rescale_read(node, &input, &output, &state) ||
      !rt_node_factor(node, (double)input.scale / (double)output.scale, &state.factor)) {
    return false;
  }
  state.range = (rt_range){INT8_MIN, INT8_MAX};
  rt_rescale_keep(node, &state);
  return true;
}

void rt_quantize_invoke(const rt_model *model, const void *state) { rt_rescale_invoke(model, state); }
