/* SPDX-License-Identifier: Apache-2.0 */
/* ADD of two tensors, with broadcasting: both are brought to twice the larger input scale, 20 bits finer, and
 * summed there. */
#include "add.h"

#include "../rt_kernels.h"

static inline int8_t add_one(const rt_add_state *state, int8_t a, int8_t b) {
  const int32_t wide_a = rt_shift_left(a + state->input_offsets[0], RT_ADD_HEADROOM_BITS);
  const int32_t wide_b = rt_shift_left(b + state->input_offsets[1], RT_ADD_HEADROOM_BITS);
  const int32_t sum = rt_scale(wide_a, state->input_factors[0]) + rt_scale(wide_b, state->input_factors[1]);
  return rt_requantize(sum, state->output_factor, state->output_offset, state->range);
}

static void add_broadcast(const rt_add_state *state, const int8_t *a, const int8_t *b, int8_t *output) {
  const int32_t *dims = state->dims, *step_a = state->steps[0], *step_b = state->steps[1];
  for (int32_t i = 0; i < dims[0]; ++i) {
    for (int32_t j = 0; j < dims[1]; ++j) {
      for (int32_t k = 0; k < dims[2]; ++k) {
        const int8_t *row_a = a + i * step_a[0] + j * step_a[1] + k * step_a[2];
        const int8_t *row_b = b + i * step_b[0] + j * step_b[1] + k * step_b[2];
        for (int32_t l = 0; l < dims[3]; ++l) {
          *output++ = add_one(state, row_a[l * step_a[3]], row_b[l * step_b[3]]);
        }
      }
    }
  }
}

void rt_add_invoke(const rt_model *model, const void *kept) {
  const rt_add_state *state = kept;
  const int8_t *a = rt_model_data(model, state->inputs[0]), *b = rt_model_data(model, state->inputs[1]);
  int8_t *output = rt_model_buffer(model, state->output);
  if (!state->same_shape) {
    add_broadcast(state, a, b, output);
    return;
  }
  const int32_t elements = state->dims[0] * state->dims[1] * state->dims[2] * state->dims[3];
  for (int32_t i = 0; i < elements; ++i) {
    output[i] = add_one(state, a[i], b[i]);
  }
}

/* Size of a tensor along one of the padded dimensions. */
static int32_t padded_dim(const rt_tensor *tensor, int32_t dimension) {
  const int32_t missing = RT_MAX_RANK - tensor->rank;
  return dimension < missing ? 1 : tensor->dims[dimension - missing];
}

static bool set_shapes(rt_node *node, const rt_tensor inputs[2], const rt_tensor *output,
                       rt_add_state *state) {
  int32_t next[2] = {1, 1}; /* steps of an input that is not broadcast, from the last dimension on */
  state->same_shape = true;
  for (int32_t d = RT_MAX_RANK - 1; d >= 0; --d) {
    const int32_t a = padded_dim(&inputs[0], d), b = padded_dim(&inputs[1], d);
    state->dims[d] = padded_dim(output, d);
    if ((a != b && a != 1 && b != 1) || state->dims[d] != (a > b ? a : b)) {
      return rt_node_broken(node, "its shapes cannot be broadcast to the output's");
    }
    state->same_shape = state->same_shape && a == b;
    state->steps[0][d] = a == 1 ? 0 : next[0];
    state->steps[1][d] = b == 1 ? 0 : next[1];
    next[0] *= a;
    next[1] *= b;
  }
  return true;
}

static bool set_factors(rt_node *node, const rt_tensor inputs[2], const rt_tensor *output,
                        rt_add_state *state) {
  const float larger = inputs[0].scale > inputs[1].scale ? inputs[0].scale : inputs[1].scale;
  const double twice = 2.0 * (double)larger;
  const double to_output = twice / ((double)(1 << RT_ADD_HEADROOM_BITS) * (double)output->scale);
  if (to_output >= 1.0) {
    return rt_node_unsupported(node, "the scales of inputs and output are too far apart");
  }
  return rt_node_factor(node, (double)inputs[0].scale / twice, &state->input_factors[0]) &&
         rt_node_factor(node, (double)inputs[1].scale / twice, &state->input_factors[1]) &&
         rt_node_factor(node, to_output, &state->output_factor);
}

bool rt_add_prepare(rt_node *node) {
  rt_tensor inputs[2], output;
  rt_add_state state;
  if (!rt_node_expect_options(node, RT_OPTIONS_ADD) || !rt_node_input(node, 0, &inputs[0]) ||
      !rt_node_input(node, 1, &inputs[1]) || !rt_node_output(node, &output) ||
      !set_shapes(node, inputs, &output, &state) || !set_factors(node, inputs, &output, &state) ||
      !rt_node_activation(node, rt_node_option_u8(node, RT_ADD_ACTIVATION), &output, &state.range)) {
    return false;
  }
  for (int32_t i = 0; i < 2; ++i) {
    state.inputs[i] = inputs[i].index;
    state.input_offsets[i] = -inputs[i].zero_point;
  }
  state.output = output.index;
  state.output_offset = output.zero_point;
  for (uint32_t i = 0; i < 2; ++i) { /* each element is read before it is written */
    if (inputs[i].elements == output.elements) {
      rt_node_in_place(node, i, 0);
    }
  }
  rt_add_state *kept = rt_node_keep(node, sizeof state);
  if (kept != NULL) {
    *kept = state;
  }
  return true;
}
