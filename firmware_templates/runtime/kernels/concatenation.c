/* SPDX-License-Identifier: Apache-2.0 */
/* CONCATENATION along one axis, without requantising. */
#include <string.h>

#include "../rt_kernels.h"

/* What one input gives to each step of the dimensions before the axis. */
typedef struct {
  uint32_t input, bytes;
} concatenation_part;

typedef struct {
  uint32_t output, steps, count;
  concatenation_part parts[];
} concatenation_state;

void rt_concatenation_invoke(const rt_model *model, const void *kept) {
  const concatenation_state *state = kept;
  int8_t *output = rt_model_buffer(model, state->output);
  for (uint32_t step = 0; step < state->steps; ++step) {
    for (uint32_t i = 0; i < state->count; ++i) {
      const concatenation_part *part = &state->parts[i];
      const int8_t *input = rt_model_data(model, part->input);
      memcpy(output, input + step * part->bytes, part->bytes);
      output += part->bytes;
    }
  }
}

/* One input: like the output but for its size along the axis, of which *left is still to be filled. */
static bool read_part(rt_node *node, uint32_t slot, const rt_tensor *output, int32_t axis, int32_t *left,
                      concatenation_part *part) {
  rt_tensor input;
  if (!rt_node_input(node, slot, &input) || !rt_node_expect_same_quantization(node, &input, output)) {
    return false;
  }
  if (!rt_node_expect_rank(node, &input, output->rank) || input.dims[axis] > *left) {
    return rt_node_broken(node, "its shapes do not add up");
  }
  int32_t shape[RT_MAX_RANK];
  memcpy(shape, output->dims, sizeof shape);
  shape[axis] = input.dims[axis];
  *left -= input.dims[axis];
  part->input = input.index;
  part->bytes = 1;
  for (int32_t d = axis; d < input.rank; ++d) {
    part->bytes *= (uint32_t)input.dims[d];
  }
  return rt_node_expect_shape(node, &input, output->rank, shape);
}

bool rt_concatenation_prepare(rt_node *node) {
  rt_tensor output;
  if (!rt_node_expect_options(node, RT_OPTIONS_CONCATENATION) || !rt_node_output(node, &output)) {
    return false;
  }
  int32_t axis = rt_node_option_i32(node, RT_CONCATENATION_AXIS, 0);
  axis += axis < 0 ? output.rank : 0;
  if (axis < 0 || axis >= output.rank) {
    return rt_node_broken(node, "its axis is not one of the output's");
  }
  if (rt_node_option_u8(node, RT_CONCATENATION_ACTIVATION) != RT_ACTIVATION_NONE) {
    return rt_node_unsupported(node, "a fused activation");
  }
  const uint32_t count = node->inputs.count;
  concatenation_state *kept =
      rt_node_keep(node, (uint32_t)sizeof *kept + count * (uint32_t)sizeof kept->parts[0]);
  int32_t left = output.dims[axis];
  for (uint32_t slot = 0; slot < count; ++slot) {
    concatenation_part part;
    if (!read_part(node, slot, &output, axis, &left, &part)) {
      return false;
    }
    if (kept != NULL) {
      kept->parts[slot] = part;
    }
  }
  if (left != 0) {
    return rt_node_broken(node, "its shapes do not add up");
  }
  if (kept != NULL) {
    kept->output = output.index;
    kept->count = count;
    kept->steps = 1;
    for (int32_t d = 0; d < axis; ++d) {
      kept->steps *= (uint32_t)output.dims[d];
    }
  }
  return true;
}
