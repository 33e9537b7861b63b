/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D: NHWC int8, weights 1HWC, any depth multiplier, one factor per output channel. */
#include "depthwise_conv.h"

#include <string.h>

#include "../rt_kernels.h"

/* Where to read rows of the input: the input itself, or, where the output is written over it, a copy of the
 * last rows in a ring: row r is its row r modulo rows. */
typedef struct {
  const int8_t *start;
  int32_t row_bytes, rows;
} depthwise_ring;

/* The part of the input that one output pixel sees: from tap to tap, and from row to row, in bytes. */
typedef struct {
  const int8_t *inputs, *weights;
  int32_t rows, taps;
  int32_t input_row_step, input_tap_step, weight_row_step, weight_tap_step;
} depthwise_patch;

/* Two patches, because a ring's rows may go on at its start; gives how many of them there are. */
static int32_t find_patches(const rt_depthwise_state *state, const depthwise_ring *ring, const int8_t *filter,
                            int32_t y, int32_t x, depthwise_patch patches[2]) {
  const rt_window *rows = &state->rows, *columns = &state->columns;
  const rt_taps down = rt_window_taps(rows, y), across = rt_window_taps(columns, x);
  const int32_t in_y = rt_window_origin(rows, y) + down.first * rows->dilation;
  const int32_t in_x = rt_window_origin(columns, x) + across.first * columns->dilation;
  const int32_t slot = ring->rows == rows->input ? in_y : in_y % ring->rows;
  patches[0] = (depthwise_patch){
      .inputs = ring->start + slot * ring->row_bytes + in_x * state->in_channels,
      .weights = filter + (down.first * columns->filter + across.first) * state->out_channels,
      .rows = down.end - down.first,
      .taps = across.end - across.first,
      .input_row_step = rows->dilation * ring->row_bytes,
      .input_tap_step = columns->dilation * state->in_channels,
      .weight_row_step = columns->filter * state->out_channels,
      .weight_tap_step = state->out_channels,
  };
  if (slot + (patches[0].rows - 1) * rows->dilation < ring->rows) {
    return 1;
  }
  const int32_t before = (ring->rows - slot + rows->dilation - 1) / rows->dilation;
  patches[1] = patches[0];
  patches[1].inputs += (before * rows->dilation - ring->rows) * ring->row_bytes;
  patches[1].weights += before * patches[0].weight_row_step;
  patches[1].rows -= before;
  patches[0].rows = before;
  return 2;
}

enum { GROUP = 4 };

/* Four neighbouring channels at once: the steps are paid once for four products. A function of its own,
 * because in a larger one GCC runs out of registers. */
static __attribute__((noinline)) void add_4_channels(const depthwise_patch *patch, int32_t channel,
                                                     int32_t offset, uint32_t sums[GROUP]) {
  const int8_t *input_row = patch->inputs + channel, *weight_row = patch->weights + channel;
  uint32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
  for (int32_t row = patch->rows; row > 0; --row) {
    const int8_t *x = input_row, *w = weight_row;
    for (int32_t tap = patch->taps; tap > 0; --tap) {
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

static void convolve_pixel(const rt_depthwise_state *state, const depthwise_patch *patches, int32_t count,
                           const int32_t *bias, int8_t *output) {
  const int32_t channels = state->out_channels;
  for (int32_t channel = 0; channel < channels;) {
    uint32_t sums[GROUP] = {0};
    const int32_t lanes = state->multiplier == 1 && channels - channel >= GROUP ? GROUP : 1;
    for (int32_t i = 0; i < count; ++i) {
      if (lanes == GROUP) {
        add_4_channels(&patches[i], channel, state->input_offset, sums);
      } else {
        const int32_t in_channel = channel / state->multiplier;
        sums[0] += sum_1_channel(&patches[i], in_channel, channel, state->input_offset);
      }
    }
    for (int32_t i = 0; i < lanes; ++i, ++channel) {
      const int32_t sum = (int32_t)(sums[i] + (bias == NULL ? 0 : (uint32_t)bias[channel]));
      *output++ = rt_requantize(sum, state->factors[channel], state->output_offset, state->range);
    }
  }
}

/* In place: before an output row is written, input rows are copied up to the last one it sees, and at least
 * up to the same row. The output never gets ahead of them, because it is no wider than the input. */
static void convolve_image(const rt_depthwise_state *state, const int8_t *image, int8_t *copy,
                           const int8_t *filter, const int32_t *bias, int8_t *output) {
  const rt_window *rows = &state->rows;
  const int32_t row_bytes = state->columns.input * state->in_channels;
  const int32_t ring_rows = copy == NULL ? rows->input : rt_depthwise_rows(state);
  const depthwise_ring ring = {copy == NULL ? image : copy, row_bytes, ring_rows};
  int32_t copied = 0;
  for (int32_t y = 0; y < rows->output; ++y) {
    const int32_t seen = rt_window_origin(rows, y) + (rt_window_taps(rows, y).end - 1) * rows->dilation;
    const int32_t last = seen > y ? seen : y;
    for (; copy != NULL && copied <= last; ++copied) {
      memcpy(copy + copied % ring_rows * row_bytes, image + copied * row_bytes, (size_t)row_bytes);
    }
    for (int32_t x = 0; x < state->columns.output; ++x) {
      depthwise_patch patches[2];
      const int32_t count = find_patches(state, &ring, filter, y, x, patches);
      convolve_pixel(state, patches, count, bias, output);
      output += state->out_channels;
    }
  }
}

void rt_depthwise_conv_invoke(const rt_model *model, const void *kept) {
  const rt_depthwise_state *state = kept;
  const int8_t *image = rt_model_data(model, state->input), *filter = rt_model_data(model, state->filter);
  const int32_t *bias = state->bias == RT_NONE ? NULL : rt_model_data(model, state->bias);
  int8_t *output = rt_model_buffer(model, state->output);
  int8_t *copy = output == image ? rt_model_buffer(model, state->scratch) : NULL;
  for (int32_t batch = 0; batch < state->batches; ++batch) {
    convolve_image(state, image, copy, filter, bias, output);
    image += state->rows.input * state->columns.input * state->in_channels;
    output += state->rows.output * state->columns.output * state->out_channels;
  }
}

static bool set_windows(rt_node *node, const rt_tensor *input, const rt_tensor *filter,
                        rt_depthwise_state *state) {
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

bool rt_depthwise_conv_read(rt_node *node, rt_depthwise_state *state, rt_depthwise_state **kept) {
  rt_tensor input, filter, bias, output;
  if (!rt_node_expect_options(node, RT_OPTIONS_DEPTHWISE_CONV_2D) || !rt_node_input(node, 0, &input) ||
      !rt_node_weights(node, 1, 3, &filter) || !rt_node_output(node, &output) ||
      !rt_node_expect_rank(node, &input, 4) || !rt_node_expect_rank(node, &filter, 4) ||
      !rt_node_bias(node, 2, filter.dims[3], &bias) || !set_windows(node, &input, &filter, state)) {
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
  state->batches = input.dims[0];
  state->in_channels = input.dims[3];
  state->out_channels = filter.dims[3];
  state->multiplier = multiplier;
  const int32_t shape[] = {state->batches, state->rows.output, state->columns.output, state->out_channels};
  if (!rt_node_expect_shape(node, &output, 4, shape) ||
      !rt_node_activation(node, rt_node_option_u8(node, RT_DEPTHWISE_ACTIVATION), &output, &state->range)) {
    return false;
  }
  state->input = input.index;
  state->filter = filter.index;
  state->bias = bias.index;
  state->output = output.index;
  state->scratch = rt_node_scratch_index(node);
  state->plain = true;
  state->input_offset = -input.zero_point;
  state->output_offset = output.zero_point;
  const uint32_t channels = (uint32_t)state->out_channels;
  *kept = rt_node_keep(node, (uint32_t)(sizeof *state + channels * sizeof state->factors[0]));
  if (*kept == NULL) {
    return true;
  }
  **kept = *state;
  return rt_node_channel_factors(node, &input, &filter, &output, channels, (*kept)->factors);
}

void rt_depthwise_conv_offer(rt_node *node, const rt_depthwise_state *state) {
  const int64_t bytes =
      (int64_t)rt_depthwise_rows(state) * state->columns.input * state->in_channels; /* of the ring */
  if (state->multiplier == 1) {
    rt_node_in_place(node, 0, (uint32_t)bytes);
  }
}

bool rt_depthwise_conv_prepare(rt_node *node) {
  rt_depthwise_state state, *kept;
  if (!rt_depthwise_conv_read(node, &state, &kept)) {
    return false;
  }
  rt_depthwise_conv_offer(node, &state);
  return true;
}
