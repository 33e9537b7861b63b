/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D: NHWC int8, weights OHWI, one factor per output channel. */
#include "../rt_kernels.h"
#include "../rt_window.h"
#include "dot.h"

typedef struct {
  uint32_t input, filter, bias, output;
  int32_t batches, in_channels, out_channels;
  rt_window rows, columns;
  int32_t input_offset, output_offset;
  rt_range range;
  rt_factor factors[]; /* one per output channel */
} conv_state;

/* The part of the input that one output pixel sees, as rows of runs of consecutive bytes. A run lies equally
 * consecutive in the weights, so that the inner loop need not know of rows, columns and channels. */
typedef struct {
  const int8_t *inputs;
  uint32_t weights; /* where in a filter the first run starts */
  int32_t rows, runs;
  uint32_t run;
  int32_t input_row_step, input_run_step, weight_row_step;
} conv_patch;

static conv_patch find_patch(const conv_state *state, const int8_t *image, int32_t y, int32_t x) {
  const rt_window *rows = &state->rows, *columns = &state->columns;
  const rt_taps down = rt_window_taps(rows, y), across = rt_window_taps(columns, x);
  const int32_t in_y = rt_window_origin(rows, y) + down.first * rows->dilation;
  const int32_t in_x = rt_window_origin(columns, x) + across.first * columns->dilation;
  const int32_t channels = state->in_channels, taps = across.end - across.first;
  const bool dense = columns->dilation == 1;
  return (conv_patch){
      .inputs = image + (in_y * columns->input + in_x) * channels,
      .weights = (uint32_t)((down.first * columns->filter + across.first) * channels),
      .rows = down.end - down.first,
      .runs = dense ? 1 : taps,
      .run = (uint32_t)(dense ? taps * channels : channels),
      .input_row_step = rows->dilation * columns->input * channels,
      .input_run_step = columns->dilation * channels,
      .weight_row_step = columns->filter * channels,
  };
}

static void add_4_channels(const conv_patch *patch, const int8_t *filter, uint32_t filter_bytes,
                           int32_t offset, uint32_t sums[RT_DOT_CHANNELS]) {
  const int8_t *input_row = patch->inputs, *weight_row = filter + patch->weights;
  for (int32_t row = 0; row < patch->rows; ++row) {
    const int8_t *inputs = input_row, *weights = weight_row;
    for (int32_t run = 0; run < patch->runs; ++run) {
      rt_dot_4(inputs, weights, filter_bytes, patch->run, offset, sums);
      inputs += patch->input_run_step;
      weights += patch->run;
    }
    input_row += patch->input_row_step;
    weight_row += patch->weight_row_step;
  }
}

static void add_1_channel(const conv_patch *patch, const int8_t *filter, int32_t offset, uint32_t *sum) {
  const int8_t *input_row = patch->inputs, *weight_row = filter + patch->weights;
  for (int32_t row = 0; row < patch->rows; ++row) {
    const int8_t *inputs = input_row, *weights = weight_row;
    for (int32_t run = 0; run < patch->runs; ++run) {
      *sum += rt_dot_1(inputs, weights, patch->run, offset);
      inputs += patch->input_run_step;
      weights += patch->run;
    }
    input_row += patch->input_row_step;
    weight_row += patch->weight_row_step;
  }
}

static void convolve_pixel(const conv_state *state, const conv_patch *patch, const int8_t *filter,
                           const int32_t *bias, int8_t *output) {
  const int32_t channels = state->out_channels;
  const uint32_t filter_bytes = (uint32_t)(state->rows.filter * state->columns.filter * state->in_channels);
  for (int32_t channel = 0; channel < channels;) {
    uint32_t sums[RT_DOT_CHANNELS] = {0};
    const int32_t count = channels - channel < RT_DOT_CHANNELS ? 1 : RT_DOT_CHANNELS;
    if (count == 1) {
      add_1_channel(patch, filter, state->input_offset, sums);
    } else {
      add_4_channels(patch, filter, filter_bytes, state->input_offset, sums);
    }
    for (int32_t i = 0; i < count; ++i, ++channel) {
      const int32_t sum = (int32_t)(sums[i] + (bias == NULL ? 0 : (uint32_t)bias[channel]));
      *output++ = rt_requantize(sum, state->factors[channel], state->output_offset, state->range);
    }
    filter += (uint32_t)count * filter_bytes;
  }
}

void rt_conv_invoke(const rt_model *model, const void *kept) {
  const conv_state *state = kept;
  const int8_t *image = rt_model_data(model, state->input), *filter = rt_model_data(model, state->filter);
  const int32_t *bias = state->bias == RT_NONE ? NULL : rt_model_data(model, state->bias);
  int8_t *output = rt_model_room(model, state->output);
  for (int32_t batch = 0; batch < state->batches; ++batch) {
    for (int32_t y = 0; y < state->rows.output; ++y) {
      for (int32_t x = 0; x < state->columns.output; ++x) {
        const conv_patch patch = find_patch(state, image, y, x);
        convolve_pixel(state, &patch, filter, bias, output);
        output += state->out_channels;
      }
    }
    image += state->rows.input * state->columns.input * state->in_channels;
  }
}

static bool set_windows(rt_node *node, const rt_tensor *input, const rt_tensor *filter, conv_state *state) {
  const int32_t padding = rt_node_option_u8(node, RT_CONV_PADDING);
  state->rows = (rt_window){.input = input->dims[1],
                            .filter = filter->dims[1],
                            .stride = rt_node_option_i32(node, RT_CONV_STRIDE_H, 0),
                            .dilation = rt_node_option_i32(node, RT_CONV_DILATION_H, 1)};
  state->columns = (rt_window){.input = input->dims[2],
                               .filter = filter->dims[2],
                               .stride = rt_node_option_i32(node, RT_CONV_STRIDE_W, 0),
                               .dilation = rt_node_option_i32(node, RT_CONV_DILATION_W, 1)};
  if ((int64_t)state->rows.dilation * input->dims[2] * input->dims[3] > RT_MAX_ELEMENTS ||
      (int64_t)state->columns.dilation * input->dims[3] > RT_MAX_ELEMENTS) {
    return rt_node_unsupported(node, "a gigantic dilation");
  }
  return (rt_window_set(&state->rows, padding) && rt_window_set(&state->columns, padding)) ||
         rt_node_broken(node, "its filter, stride or dilation does not fit the input");
}

bool rt_conv_prepare(rt_node *node) {
  rt_tensor input, filter, bias, output;
  conv_state state;
  if (!rt_node_expect_options(node, RT_OPTIONS_CONV_2D) || !rt_node_input(node, 0, &input) ||
      !rt_node_weights(node, 1, 0, &filter) || !rt_node_output(node, &output) ||
      !rt_node_expect_rank(node, &input, 4) || !rt_node_expect_rank(node, &filter, 4) ||
      !rt_node_bias(node, 2, filter.dims[0], &bias) || !set_windows(node, &input, &filter, &state)) {
    return false;
  }
  if (filter.dims[3] != input.dims[3]) {
    return rt_node_unsupported(node, "grouped convolution: filter and input differ in channels");
  }
  state.batches = input.dims[0];
  state.in_channels = input.dims[3];
  state.out_channels = filter.dims[0];
  const int32_t shape[] = {state.batches, state.rows.output, state.columns.output, state.out_channels};
  if (!rt_node_expect_shape(node, &output, 4, shape) ||
      !rt_node_activation(node, rt_node_option_u8(node, RT_CONV_ACTIVATION), &output, &state.range)) {
    return false;
  }
  state.input = input.index;
  state.filter = filter.index;
  state.bias = bias.index;
  state.output = output.index;
  state.input_offset = -input.zero_point;
  state.output_offset = output.zero_point;
  const uint32_t channels = (uint32_t)state.out_channels;
  conv_state *kept = rt_node_keep(node, sizeof state + channels * sizeof state.factors[0]);
  if (kept == NULL) {
    return true;
  }
  *kept = state;
  return rt_node_channel_factors(node, &input, &filter, &output, channels, kept->factors);
}
