/* SPDX-License-Identifier: Apache-2.0 */
/* PAD with the output's zero point, in up to four dimensions. */
#include <string.h>

#include "../rt_kernels.h"

typedef struct {
  uint32_t input, output;
  int32_t in[RT_MAX_RANK], out[RT_MAX_RANK], before[RT_MAX_RANK]; /* padded with dimensions of 1 in front */
  int32_t zero_point;
} pad_state;

/* Copy one dimension and, within it, the rest; the surroundings are filled already. */
static void copy_inside(const pad_state *state, const int8_t *input, int8_t *output) {
  const int32_t *in = state->in, *out = state->out, *before = state->before;
  for (int32_t i = 0; i < in[0]; ++i) {
    for (int32_t j = 0; j < in[1]; ++j) {
      for (int32_t k = 0; k < in[2]; ++k) {
        const int32_t row = ((i + before[0]) * out[1] + j + before[1]) * out[2] + k + before[2];
        memcpy(output + row * out[3] + before[3], input, (size_t)in[3]);
        input += in[3];
      }
    }
  }
}

void rt_pad_invoke(const rt_model *model, const void *kept) {
  const pad_state *state = kept;
  int8_t *output = rt_model_buffer(model, state->output);
  memset(output, state->zero_point, (size_t)(state->out[0] * state->out[1] * state->out[2] * state->out[3]));
  copy_inside(state, rt_model_data(model, state->input), output);
}

bool rt_pad_prepare(rt_node *node) {
  rt_tensor input, output;
  int32_t paddings[2 * RT_MAX_RANK], count;
  pad_state state;
  if (!rt_node_input(node, 0, &input) || !rt_node_output(node, &output) ||
      !rt_node_integers(node, 1, paddings, 2 * RT_MAX_RANK, &count)) {
    return false;
  }
  if (node->inputs.count != 2) {
    return rt_node_unsupported(node, "a padding value of its own");
  }
  if (count != 2 * input.rank || output.rank != input.rank) {
    return rt_node_broken(node, "it needs two paddings for each dimension");
  }
  const int32_t missing = RT_MAX_RANK - input.rank;
  for (int32_t d = 0; d < RT_MAX_RANK; ++d) {
    const int32_t from = d - missing;
    const int32_t before = from < 0 ? 0 : paddings[2 * from], after = from < 0 ? 0 : paddings[2 * from + 1];
    state.in[d] = from < 0 ? 1 : input.dims[from];
    state.out[d] = from < 0 ? 1 : output.dims[from];
    state.before[d] = before;
    if (before < 0 || after < 0 || (int64_t)state.in[d] + before + after != state.out[d]) {
      return rt_node_broken(node, "a shape does not follow from its paddings");
    }
  }
  state.input = input.index;
  state.output = output.index;
  state.zero_point = output.zero_point;
  pad_state *kept = rt_node_keep(node, sizeof state);
  if (kept != NULL) {
    *kept = state;
  }
  return true;
}
