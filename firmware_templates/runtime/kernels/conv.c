/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D: NHWC int8, weights OHWI, one factor per output channel. */
#include "conv.h"

#include <string.h>

#include "../rt_gain.h"
#include "../rt_kernels.h"
#include "dot.h"

/* The part of the input that one output pixel sees, as rows of runs of consecutive bytes. A run lies equally
 * consecutive in the weights, so that the inner loop need not know of rows, columns and channels. */
typedef struct {
  const rt_conv_rows *source;
  int32_t first_row, row_step, at; /* where in a row the first run starts */
  uint32_t weights;                /* where in a filter the first run starts */
  int32_t rows, runs;
  uint32_t run;
  int32_t input_run_step, weight_row_step;
} conv_patch;

static conv_patch find_patch(const rt_conv_state *state, const rt_conv_rows *source, int32_t y, int32_t x) {
  const rt_window *rows = &state->rows, *columns = &state->columns;
  const rt_taps down = rt_window_taps(rows, y), across = rt_window_taps(columns, x);
  const int32_t in_x = rt_window_origin(columns, x) + across.first * columns->dilation;
  const int32_t channels = state->in_channels, taps = across.end - across.first;
  const bool dense = columns->dilation == 1;
  return (conv_patch){
      .source = source,
      .first_row = rt_window_origin(rows, y) + down.first * rows->dilation,
      .row_step = rows->dilation,
      .at = in_x * channels,
      .weights = (uint32_t)((down.first * columns->filter + across.first) * channels),
      .rows = down.end - down.first,
      .runs = dense ? 1 : taps,
      .run = (uint32_t)(dense ? taps * channels : channels),
      .input_run_step = columns->dilation * channels,
      .weight_row_step = columns->filter * channels,
  };
}

static void add_4_channels(const conv_patch *patch, const int8_t *filter, uint32_t filter_bytes,
                           int32_t offset, uint32_t sums[RT_DOT_CHANNELS]) {
  const int8_t *weight_row = filter + patch->weights;
  int32_t input_row = patch->first_row;
  for (int32_t row = 0; row < patch->rows; ++row) {
    const int8_t *inputs = rt_conv_row(patch->source, input_row) + patch->at, *weights = weight_row;
    for (int32_t run = 0; run < patch->runs; ++run) {
      rt_dot_4(inputs, weights, filter_bytes, patch->run, offset, sums);
      inputs += patch->input_run_step;
      weights += patch->run;
    }
    input_row += patch->row_step;
    weight_row += patch->weight_row_step;
  }
}

static void add_1_channel(const conv_patch *patch, const int8_t *filter, int32_t offset, uint32_t *sum) {
  const int8_t *weight_row = filter + patch->weights;
  int32_t input_row = patch->first_row;
  for (int32_t row = 0; row < patch->rows; ++row) {
    const int8_t *inputs = rt_conv_row(patch->source, input_row) + patch->at, *weights = weight_row;
    for (int32_t run = 0; run < patch->runs; ++run) {
      *sum += rt_dot_1(inputs, weights, patch->run, offset);
      inputs += patch->input_run_step;
      weights += patch->run;
    }
    input_row += patch->row_step;
    weight_row += patch->weight_row_step;
  }
}

/* The optimised kernel leaves small work to this one, with its own way to round. */
static inline int8_t requantize(const rt_conv_state *state, int32_t channel, int32_t sum, bool gains) {
  const rt_factor factor = state->factors[channel];
#if RT_DSP_KERNELS
  if (gains) {
    const rt_gain gain = {factor.multiplier, factor.shift};
    return (int8_t)rt_gain_apply(sum, gain, rt_gain_offset(state->output_offset));
  }
#endif
  (void)gains;
  return rt_requantize(sum, factor, state->output_offset, state->range);
}

static inline __attribute__((always_inline)) void convolve_pixel(const rt_conv_state *state,
                                                                 const conv_patch *patch,
                                                                 const int8_t *filter, const int32_t *bias,
                                                                 bool gains, int8_t *output) {
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
      *output++ = requantize(state, channel, sum, gains);
    }
    filter += (uint32_t)count * filter_bytes;
  }
}

/* One image. In place, `extra` is the memory that rt_conv_offer asked for; else NULL. */
static inline __attribute__((always_inline)) void convolve_image(const rt_conv_state *state,
                                                                 const rt_model *model, const int8_t *image,
                                                                 int8_t *extra, bool gains, int8_t *output) {
  const int8_t *filter = rt_model_data(model, state->filter);
  const int32_t *bias = state->bias == RT_NONE ? NULL : rt_model_data(model, state->bias);
  rt_conv_rows rows = rt_conv_rows_of(state, image, extra);
  rt_conv_rows copy = {.image = extra}; /* of the one pixel that is read */
  for (int32_t y = 0; y < state->rows.output; ++y) {
    rt_conv_rows_save(&rows, y);
    for (int32_t x = 0; x < state->columns.output; ++x) {
      conv_patch patch = find_patch(state, &rows, y, x);
      if (extra != NULL && rt_conv_is_pointwise(state)) {
        memcpy(extra, rt_conv_row(&rows, patch.first_row) + patch.at, (size_t)state->in_channels);
        patch.source = &copy;
        patch.at = 0;
      }
      convolve_pixel(state, &patch, filter, bias, gains, output);
      output += state->out_channels;
    }
  }
}

static inline __attribute__((always_inline)) void convolve(const rt_model *model, const rt_conv_state *state,
                                                           bool gains) {
  const int8_t *image = rt_model_data(model, state->input);
  int8_t *output = rt_model_buffer(model, state->output);
  int8_t *extra = output == image ? rt_model_buffer(model, state->scratch) : NULL;
  for (int32_t batch = 0; batch < state->batches; ++batch) {
    convolve_image(state, model, image, extra, gains, output);
    image += state->rows.input * state->columns.input * state->in_channels;
    output += state->rows.output * state->columns.output * state->out_channels;
  }
}

void rt_conv_invoke(const rt_model *model, const void *kept) { convolve(model, kept, false); }

#if RT_DSP_KERNELS
void rt_conv_with_gains(const rt_model *model, const rt_conv_state *state) {
  convolve(model, state, true);
  const int32_t outputs = state->batches * state->rows.output * state->columns.output * state->out_channels;
  rt_gain_clamp(rt_model_buffer(model, state->output), (uint32_t)outputs, state->range);
}
#endif

bool rt_conv_prepare(rt_node *node) {
  rt_conv_state state, *kept;
  if (!rt_conv_read(node, &state, &kept)) {
    return false;
  }
  rt_conv_offer(node, &state, (uint32_t)state.in_channels);
  return true;
}
