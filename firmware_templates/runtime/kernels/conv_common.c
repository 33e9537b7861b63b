/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "conv_common.h"

static const rt_window_fields FIELDS = {RT_CONV_PADDING, RT_CONV_STRIDE_H, RT_CONV_STRIDE_W,
                                        RT_CONV_DILATION_H, RT_CONV_DILATION_W};

static bool read_shapes(rt_node *node, const rt_tensor *input, const rt_tensor *filter,
                        const rt_tensor *output, rt_conv_state *state) {
  if (!rt_window_read(node, &FIELDS, input, filter, &state->rows, &state->columns)) {
    return false;
  }
  if (filter->dims[3] != input->dims[3]) {
    return rt_node_unsupported(node, "grouped convolution: filter and input differ in channels");
  }
  state->batches = input->dims[0];
  state->in_channels = input->dims[3];
  state->out_channels = filter->dims[0];
  const int32_t shape[] = {state->batches, state->rows.output, state->columns.output, state->out_channels};
  return rt_node_expect_shape(node, output, 4, shape);
}

bool rt_conv_read(rt_node *node, rt_conv_state *state, rt_conv_state **kept) {
  rt_tensor input, filter, bias, output;
  *kept = NULL;
  if (!rt_node_expect_options(node, RT_OPTIONS_CONV_2D) || !rt_node_input(node, 0, &input) ||
      !rt_node_weights(node, 1, 0, &filter) || !rt_node_output(node, &output) ||
      !rt_node_expect_rank(node, &input, 4) || !rt_node_expect_rank(node, &filter, 4) ||
      !rt_node_bias(node, 2, filter.dims[0], &bias) || !read_shapes(node, &input, &filter, &output, state) ||
      !rt_node_activation(node, rt_node_option_u8(node, RT_CONV_ACTIVATION), &output, &state->range)) {
    return false;
  }
  state->input = input.index;
  state->filter = filter.index;
  state->bias = bias.index;
  state->output = output.index;
  state->scratch = rt_node_scratch_index(node);
  state->input_offset = -input.zero_point;
  state->output_offset = output.zero_point;
  state->gains = state->plain = false;
  const uint32_t channels = (uint32_t)state->out_channels;
  *kept = rt_node_keep(node, sizeof *state + channels * sizeof state->factors[0]);
  if (*kept == NULL) {
    return true;
  }
  **kept = *state;
  return rt_node_channel_factors(node, &input, &filter, &output, channels, (*kept)->factors);
}

/* Output row y, read from row y * stride - pad on, overwrites no row of the input beyond y. So the rows that
 * are both overwritten and still wanted are y - pad to y at most. */
static int32_t ring_rows(const rt_conv_state *state) {
  const int32_t rows = state->rows.pad + 1;
  return rows < state->rows.input ? rows : state->rows.input;
}

uint32_t rt_conv_offer_bytes(const rt_conv_state *state) {
  const int32_t row_bytes = state->columns.input * state->in_channels;
  return rt_conv_is_pointwise(state) ? 0 : (uint32_t)(ring_rows(state) * row_bytes + 3) & ~3U;
}

void rt_conv_offer(rt_node *node, const rt_conv_state *state, uint32_t pixel_bytes) {
  const int32_t row_bytes = state->columns.input * state->in_channels;
  if (rt_conv_is_pointwise(state)) {
    if (state->out_channels <= state->in_channels) {
      rt_node_in_place(node, 0, pixel_bytes);
    }
  } else if (state->columns.output * state->out_channels <= row_bytes &&
             state->rows.output <= state->rows.input) {
    rt_node_in_place(node, 0, rt_conv_offer_bytes(state));
  }
}

rt_conv_rows rt_conv_rows_of(const rt_conv_state *state, const int8_t *image, int8_t *ring) {
  return (rt_conv_rows){.image = image,
                        .ring = rt_conv_is_pointwise(state) ? NULL : ring,
                        .capacity = ring_rows(state),
                        .row_bytes = state->columns.input * state->in_channels};
}

void rt_conv_rows_save(rt_conv_rows *rows, int32_t output_row) {
  if (rows->ring != NULL) {
    memcpy(rows->ring + output_row % rows->capacity * rows->row_bytes,
           rows->image + output_row * rows->row_bytes, (size_t)rows->row_bytes);
    rows->saved = output_row + 1;
  }
}
