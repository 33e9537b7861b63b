/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

enum { MAX_TAPS = 1 << 23 }; /* int8 values that 32 bits can sum */

void rt_pool_invoke(const rt_model *model, const rt_pool_state *state, rt_pool_pixel pixel) {
  const rt_window *rows = &state->rows, *columns = &state->columns;
  const int32_t channels = state->channels;
  const int8_t *image = rt_model_data(model, state->input);
  int8_t *output = rt_model_buffer(model, state->output);
  rt_pool_patch patch = {.row_step = columns->input * channels, .channels = channels, .range = state->range};
  for (int32_t batch = 0; batch < state->batches; ++batch) {
    for (int32_t y = 0; y < rows->output; ++y) {
      const rt_taps down = rt_window_taps(rows, y);
      const int8_t *row = image + (rt_window_origin(rows, y) + down.first) * patch.row_step;
      for (int32_t x = 0; x < columns->output; ++x) {
        const rt_taps across = rt_window_taps(columns, x);
        patch.inputs = row + (rt_window_origin(columns, x) + across.first) * channels;
        patch.rows = down.end - down.first;
        patch.taps = across.end - across.first;
        pixel(&patch, output);
        output += channels;
      }
    }
    image += rows->input * patch.row_step;
  }
}

bool rt_pool_prepare(rt_node *node) {
  rt_tensor input, output;
  rt_pool_state state;
  if (!rt_node_expect_options(node, RT_OPTIONS_POOL_2D) || !rt_node_input(node, 0, &input) ||
      !rt_node_output(node, &output) || !rt_node_expect_rank(node, &input, 4) ||
      !rt_node_expect_same_quantization(node, &input, &output)) {
    return false;
  }
  const int32_t padding = rt_node_option_u8(node, RT_POOL_PADDING);
  state.rows = (rt_window){.input = input.dims[1],
                           .filter = rt_node_option_i32(node, RT_POOL_FILTER_H, 0),
                           .stride = rt_node_option_i32(node, RT_POOL_STRIDE_H, 0),
                           .dilation = 1};
  state.columns = (rt_window){.input = input.dims[2],
                              .filter = rt_node_option_i32(node, RT_POOL_FILTER_W, 0),
                              .stride = rt_node_option_i32(node, RT_POOL_STRIDE_W, 0),
                              .dilation = 1};
  if (!rt_window_set(&state.rows, padding) || !rt_window_set(&state.columns, padding)) {
    return rt_node_broken(node, "its filter or stride does not fit the input");
  }
  if ((int64_t)state.rows.filter * state.columns.filter > MAX_TAPS) {
    return rt_node_unsupported(node, "a gigantic filter");
  }
  state.batches = input.dims[0];
  state.channels = input.dims[3];
  state.input = input.index;
  state.output = output.index;
  const int32_t shape[] = {state.batches, state.rows.output, state.columns.output, state.channels};
  if (!rt_node_expect_shape(node, &output, 4, shape) ||
      !rt_node_activation(node, rt_node_option_u8(node, RT_POOL_ACTIVATION), &output, &state.range)) {
    return false;
  }
  rt_pool_state *kept = rt_node_keep(node, sizeof state);
  if (kept != NULL) {
    *kept = state;
  }
  return true;
}
