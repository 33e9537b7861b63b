/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED for cores with the DSP extension: what a 1x1 convolution over its batches would be. */
#include "../rt_gain.h"
#include "../rt_kernels.h"
#include "dot.h"
#include "dot_dsp.h"
#include "fully_connected_common.h"
#include "widen_dsp.h"

#if RT_DSP_KERNELS

static void connect(const rt_fully_connected_state *state, const rt_dot_filters *filters,
                    const int8_t *inputs, uint32_t *words, int8_t *output) {
  uint32_t left = (uint32_t)state->batches, blocks = (left + state->pixels - 1) / state->pixels;
  for (; blocks > 0; --blocks) {
    const uint32_t pixels = (left + blocks - 1) / blocks;
    for (uint32_t pixel = 0; pixel < pixels; ++pixel) {
      rt_widen_patch(inputs, filters->taps, rt_widen_offsets(state->input_offset), words + 2 * pixel,
                     2 * pixels);
      inputs += state->depth;
    }
    rt_dot_pixels(filters, pixels, words, output);
    output += pixels * (uint32_t)state->units;
    left -= pixels;
  }
}

/* So little work that setting up the other way would cost more than it saves: the plain kernel's inner loops.
 */
static bool is_short(const rt_fully_connected_state *state) {
  enum { SHORT = 192, SHALLOW = 8, FEW = 4 };
  return state->gains && state->batches < FEW &&
         (state->depth < SHALLOW || (int64_t)state->units * state->depth < SHORT);
}

static __attribute__((noinline)) void connect_short(const rt_fully_connected_state *state,
                                                    const rt_model *model) {
  const int8_t *inputs = rt_model_data(model, state->input), *weights = rt_model_data(model, state->weights);
  const int32_t *bias = state->bias == RT_NONE ? NULL : rt_model_data(model, state->bias);
  int8_t *output = rt_model_buffer(model, state->output);
  const int32_t offset = rt_gain_offset(state->output_offset);
  const uint32_t depth = (uint32_t)state->depth;
  for (int32_t batch = 0; batch < state->batches; ++batch) {
    const int8_t *from = weights;
    const rt_factor *factor = state->factors;
    for (int32_t unit = 0; unit < state->units;) {
      uint32_t sums[RT_DOT_CHANNELS] = {0};
      const int32_t count = state->units - unit < RT_DOT_CHANNELS ? 1 : RT_DOT_CHANNELS;
      if (count == 1) {
        sums[0] = rt_dot_1(inputs, from, depth, state->input_offset);
      } else {
        rt_dot_4(inputs, from, depth, depth, state->input_offset, sums);
      }
      for (int32_t i = 0; i < count; ++i, ++unit) {
        const int32_t sum = (int32_t)(sums[i] + (bias == NULL ? 0 : (uint32_t)bias[unit]));
        const rt_gain gain = {factor->multiplier, factor->shift};
        output[unit] = (int8_t)rt_gain_apply(sum, gain, offset);
        factor += state->factor_step;
      }
      from += (uint32_t)count * depth;
    }
    if (state->range.low > INT8_MIN || state->range.high < INT8_MAX) {
      rt_gain_clamp(output, (uint32_t)state->units, state->range);
    }
    inputs += state->depth;
    output += state->units;
  }
}

static __attribute__((noinline)) void connect_widened(const rt_fully_connected_state *state,
                                                      const rt_model *model) {
  const rt_dot_filters filters = {
      .weights = rt_model_data(model, state->weights),
      .bias = state->bias == RT_NONE ? NULL : rt_model_data(model, state->bias),
      .factors = state->factors,
      .factor_step = state->factor_step,
      .gains = state->gains,
      .taps = (uint32_t)state->depth,
      .channels = state->units,
      .output_offset = state->output_offset,
      .range = state->range,
  };
  connect(state, &filters, rt_model_data(model, state->input), rt_model_buffer(model, state->scratch),
          rt_model_buffer(model, state->output));
}

void rt_fully_connected_dsp_invoke(const rt_model *model, const void *kept) {
  const rt_fully_connected_state *state = kept;
  if (state->pixels == 0) {
    connect_short(state, model);
  } else {
    connect_widened(state, model);
  }
}

bool rt_fully_connected_dsp_prepare(rt_node *node) {
  rt_fully_connected_state state, *kept;
  if (!rt_fully_connected_read(node, &state, &kept)) {
    return false;
  }
  state.pixels = (uint8_t)(state.batches < RT_DOT_PIXELS ? state.batches : RT_DOT_PIXELS);
  if (kept != NULL) {
    kept->pixels = state.pixels;
    kept->gains = rt_gain_rewrite(kept->factors, rt_fully_connected_factors(kept));
    if (is_short(kept)) {
      kept->pixels = 0;
      return true;
    }
  }
  return rt_node_scratch(node, 4 * rt_widen_words((uint32_t)state.depth) * state.pixels);
}

#endif
