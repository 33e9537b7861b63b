/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D: NHWC int8, weights 1HWC, any depth multiplier, one factor per output channel. */
#include "../rt_kernels.h"
#include "../rt_window.h"

typedef struct {
  uint32_t input, filter, bias, output;
  int32_t batches, in_channels, out_channels, multiplier;
  rt_window rows, columns;
  int32_t input_offset, output_offset;
  rt_range range;
  rt_factor factors[]; /* one per output channel */
} depthwise_state;

/* The part of the input that one output pixel sees: from tap to tap, and from row to row, in bytes. */
typedef struct {
  const int8_t *inputs, *weights;
  int32_t rows, taps;
  int32_t input_row_step, input_tap_step, weight_row_step, weight_tap_step;
} depthwise_patch;

static depthwise_patch find_patch(const depthwise_state *state, const int8_t *image, const int8_t *filter,
                                  int32_t y, int32_t x) {
  const rt_window *rows = &state->rows, *columns = &state->columns;
  const rt_taps down = rt_window_taps(rows, y), across = rt_window_taps(columns, x);
  const int32_t in_y = rt_window_origin(rows, y) + down.first * rows->dilation;
  const int32_t in_x = rt_window_origin(columns, x) + across.first * columns->dilation;
  return (depthwise_patch){
      .inputs = image + (in_y * columns->input + in_x) * state->in_channels,
      .weights = filter + (down.first * columns->filter + across.first) * state->out_channels,
      .rows = down.end - down.first,
      .taps = across.end - across.first,
      .input_row_step = rows->dilation * columns->input * state->in_channels,
      .input_tap_step = columns->dilation * state->in_channels,
      .weight_row_step = columns->filter * state->out_channels,
      .weight_tap_step = state->out_channels,
  };
}

enum { GROUP = 4 };

/* Four neighbouring channels at once: the steps are paid once for four products. */
static void add_4_channels(const depthwise_patch *patch, int32_t channel, int32_t offset,
                           uint32_t sums[GROUP]) {
  const int8_t *input_row = patch->inputs + channel, *weight_row = patch->weights + channel;
  uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  for (int32_t row = 0; row < patch->rows; ++row) {
    const int8_t *x = input_row, *w = weight_row;
    for (int32_t tap = 0; tap < patch->taps; ++tap) {
      s0 += (uint32_t)((x[0] + offset) * w[0]);
      s1 += (uint32_t)((x[1] + offset) * w[1]);
      s2 += (uint32_t)((x[2] + offset) * w[2]);
      s3 += (uint32_t)((x[3] + offset) * w[3]);
      x += patch->input_tap_step;
      w += patch->weight_tap_step;
    }
    input_row += patch->input_row_step;
    weight_row += patch->weight_row_step;
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}

static uint32_t sum_1_channel(const depthwise_patch *patch, int32_t in_channel, int32_t out_channel,
                              int32_t offset) {
  const int8_t *input_row = patch->inputs + in_channel, *weight_row = patch->weights + out_channel;
  uint32_t sum = 0;
  for (int32_t row = 0; row < patch->rows; ++row) {
    const int8_t *x = input_row, *w = weight_row;
    for (int32_t tap = 0; tap < patch->taps; ++tap) {
      sum += (uint32_t)((*x + offset) * *w);
      x += patch->input_tap_step;
      w += patch->weight_tap_step;
    }
    input_row += patch->input_row_step;
    weight_row += patch->weight_row_step;
  }
  return sum;
}

static void convolve_pixel(const depthwise_state *state, const depthwise_patch *patch, const int32_t *bias,
                           int8_t *output) {
  const int32_t channels = state->out_channels;
  for (int32_t channel = 0; channel < channels;) {
    uint32_t sums[GROUP];
    const int32_t count = state->multiplier == 1 && channels - channel >= GROUP ? GROUP : 1;
    if (count == GROUP) {
      add_4_channels(patch, channel, state->input_offset, sums);
    } else {
      sums[0] = sum_1_channel(patch, channel / state->multiplier, channel, state->input_offset);
    }
    for (int32_t i = 0; i < count; ++i, ++channel) {
      const int32_t sum = (int32_t)(sums[i] + (bias == NULL ? 0 : (uint32_t)bias[channel]));
      *output++ = rt_requantize(sum, state->factors[channel], state->output_offset, state->range);
    }
  }
}

void rt_depthwise_conv_invoke(const rt_model *model, const void *kept) {
  const depthwise_state *state = kept;
  const int8_t *image = rt_model_data(model, state->input), *filter = rt_model_data(model, state->filter);
  const int32_t *bias = state->bias == RT_NONE ? NULL : rt_model_data(model, state->bias);
  int8_t *output = rt_model_room(model, state->output);
  for (int32_t batch = 0; batch < state->batches; ++batch) {
    for (int32_t y = 0; y < state->rows.output; ++y) {
      for (int32_t x = 0; x < state->columns.output; ++x) {
        const depthwise_patch patch = find_patch(state, image, filter, y, x);
        convolve_pixel(state, &patch, bias, output);
        output += state->out_channels;
      }
    }
    image += state->rows.input * state->columns.input * state->in_channels;
  }
}

static bool set_windows(rt_node *node, const rt_tensor *input, const rt_tensor *filter,
                        depthwise_state *state) {
  const int32_t padding = rt_node_option_u8(node, RT_DEPTHWISE_PADDING);
  state->rows = (rt_window){.input = input->dims[1],
                            .filter = filter->dims[1],
                            .stride = rt_node_option_i32(node, RT_DEPTHWISE_STRIDE_H, 0),
                            .dilation = rt_node_option_i32(node, RT_DEPTHWISE_DILATION_H, 1)};
  state->columns = (rt_window){.input = input->dims[2],
                               .filter = filter->dims[2],
                               .stride = rt_node_option_i32(node, RT_DEPTHWISE_STRIDE_W, 0),
                               .dilation = rt_node_option_i32(node, RT_DEPTHWISE_DILATION_W, 1)};
  if ((int64_t)state->rows.dilation * input->dims[2] * input->dims[3] > RT_MAX_ELEMENTS ||
      (int64_t)state->columns.dilation * input->dims[3] > RT_MAX_ELEMENTS) {
    return rt_node_unsupported(node, "a gigantic dilation");
  }
  return (rt_window_set(&state->rows, padding) && rt_window_set(&state->columns, padding)) ||
         rt_node_broken(node, "its filter, stride or dilation does not fit the input");
}

bool rt_depthwise_conv_prepare(rt_node *node) {
  rt_tensor input, filter, bias, output;
  depthwise_state state;
  if (!rt_node_expect_options(node, RT_OPTIONS_DEPTHWISE_CONV_2D) || !rt_node_input(node, 0, &input) ||
      !rt_node_weights(node, 1, 3, &filter) || !rt_node_output(node, &output) ||
      !rt_node_expect_rank(node, &input, 4) || !rt_node_expect_rank(node, &filter, 4) ||
      !rt_node_bias(node, 2, filter.dims[3], &bias) || !set_windows(node, &input, &filter, &state)) {
    return false;
  }
  if (node->inputs.count == 3 && bias.index == RT_NONE) { /* TensorFlow Lite Micro crashes on it */
    return rt_node_unsupported(node, "a bias of -1; leave the input out instead");
  }
  const int32_t multiplier = rt_node_option_i32(node, RT_DEPTHWISE_MULTIPLIER, 0);
  if (filter.dims[0] != 1 || filter.dims[3] % input.dims[3] != 0 ||
      filter.dims[3] / input.dims[3] != multiplier) {
    return rt_node_broken(node, "its channels do not follow from the depth multiplier");
  }
  state.batches = input.dims[0];
  state.in_channels = input.dims[3];
  state.out_channels = filter.dims[3];
  state.multiplier = multiplier;
  const int32_t shape[] = {state.batches, state.rows.output, state.columns.output, state.out_channels};
  if (!rt_node_expect_shape(node, &output, 4, shape) ||
      !rt_node_activation(node, rt_node_option_u8(node, RT_DEPTHWISE_ACTIVATION), &output, &state.range)) {
    return false;
  }
  state.input = input.index;
  state.filter = filter.index;
  state.bias = bias.index;
  state.output = output.index;
  state.input_offset = -input.zero_point;
  state.output_offset = output.zero_point;
  const uint32_t channels = (uint32_t)state.out_channels;
  depthwise_state *kept = rt_node_keep(node, sizeof state + channels * sizeof state.factors[0]);
  if (kept == NULL) {
    return true;
  }
  *kept = state;
  return rt_node_channel_factors(node, &input, &filter, &output, channels, kept->factors);
}
