/* SPDX-License-Identifier: Apache-2.0 */
/* MEAN over any axes: sums in scratch memory, then one factor that divides and rescales at once. */
#include "mean.h"

#include <string.h>

#include "../rt_kernels.h"

static void sum_up(const rt_mean_state *state, const int8_t *input, uint32_t *sums) {
  const int32_t *dims = state->dims, *steps = state->steps;
  for (int32_t i = 0; i < dims[0]; ++i) {
    for (int32_t j = 0; j < dims[1]; ++j) {
      for (int32_t k = 0; k < dims[2]; ++k) {
        uint32_t *row = sums + i * steps[0] + j * steps[1] + k * steps[2];
        for (int32_t l = 0; l < dims[3]; ++l) {
          row[l * steps[3]] += (uint32_t)*input++;
        }
      }
    }
  }
}

void rt_mean_invoke(const rt_model *model, const void *kept) {
  const rt_range range = {INT8_MIN, INT8_MAX};
  const rt_mean_state *state = kept;
  uint32_t *sums = rt_model_buffer(model, state->sums);
  int8_t *output = rt_model_buffer(model, state->output);
  memset(sums, 0, state->outputs * sizeof *sums);
  sum_up(state, rt_model_data(model, state->input), sums);
  for (uint32_t i = 0; i < state->outputs; ++i) {
    const int32_t sum = (int32_t)(sums[i] + (uint32_t)state->input_offset);
    output[i] = rt_requantize(sum, state->factor, state->output_offset, range);
  }
}

/* Steps through the output: 0 along the axes, the others from the last dimension on. */
static bool set_axes(rt_node *node, const rt_tensor *input, rt_mean_state *state) {
  int32_t axes[RT_MAX_RANK], count, step = 1;
  bool is_reduced[RT_MAX_RANK] = {false};
  const int32_t missing = RT_MAX_RANK - input->rank;
  if (!rt_node_integers(node, 1, axes, RT_MAX_RANK, &count)) {
    return false;
  }
  for (int32_t i = 0; i < count; ++i) {
    const int32_t axis = axes[i] < 0 ? axes[i] + input->rank : axes[i];
    if (axis < 0 || axis >= input->rank) {
      return rt_node_broken(node, "its axes are not the input's");
    }
    is_reduced[axis + missing] = true;
  }
  for (int32_t d = RT_MAX_RANK - 1; d >= 0; --d) {
    state->dims[d] = d < missing ? 1 : input->dims[d - missing];
    state->steps[d] = is_reduced[d] ? 0 : step;
    step *= is_reduced[d] ? 1 : state->dims[d];
  }
  state->outputs = (uint32_t)step;
  return true;
}

/* Fold 1 / count into the factor, with as many bits as the shift leaves. */
static void divide_factor(rt_factor *factor, int32_t count) {
  int32_t bits = 31 - __builtin_clz((uint32_t)count);
  if (bits > 31 + factor->shift) {
    bits = 31 + factor->shift;
  }
  factor->multiplier = (int32_t)(((int64_t)factor->multiplier << bits) / count);
  factor->shift -= bits;
}

bool rt_mean_prepare(rt_node *node) {
  rt_tensor input, output;
  rt_mean_state state;
  if (!rt_node_input(node, 0, &input) || !rt_node_output(node, &output) || !set_axes(node, &input, &state) ||
      !rt_node_expect_elements(node, &output, (int32_t)state.outputs) ||
      !rt_node_factor(node, (double)input.scale / (double)output.scale, &state.factor) ||
      !rt_node_scratch(node, state.outputs * (uint32_t)sizeof(int32_t))) {
    return false;
  }
  const int32_t reduced = input.elements / output.elements;
  divide_factor(&state.factor, reduced);
  state.input = input.index;
  state.output = output.index;
  state.sums = rt_node_scratch_index(node);
  state.input_offset = (int32_t)((uint32_t)-input.zero_point * (uint32_t)reduced);
  state.output_offset = output.zero_point;
  rt_mean_state *kept = rt_node_keep(node, sizeof state);
  if (kept != NULL) {
    *kept = state;
  }
  return true;
}
