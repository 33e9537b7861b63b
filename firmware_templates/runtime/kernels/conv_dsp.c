/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D for cores with the DSP extension: some pixels' patches are gathered and widened, then all channels
 * of these pixels are computed (dot_dsp.h). The plain kernel is the reference, to the bit. */
#include "../rt_gain.h"
#include "../rt_kernels.h"
#include "conv.h"
#include "conv_gather_dsp.h"
#include "dot_dsp.h"
#include "widen_dsp.h"

#if RT_DSP_KERNELS

/* Working memory: that of rt_gather, then what rt_conv_offer asks for, then the widened patches: of as many
 * pixels as there is room for. */
static uint32_t pixels_in(uint32_t bytes, uint32_t taps) {
  const uint32_t pixels = bytes / (4 * rt_widen_words(taps));
  return pixels < RT_DOT_PIXELS ? pixels : RT_DOT_PIXELS;
}

/* One image, in as few blocks of pixels as there is memory for. They are as even as can be: a last block of
 * one pixel would be dear. */
static void convolve_image(const rt_conv_state *state, const rt_dot_filters *filters, rt_gather *from,
                           uint32_t *words, uint32_t most, int8_t *output) {
  uint32_t left = (uint32_t)(state->rows.output * state->columns.output);
  for (uint32_t blocks = (left + most - 1) / most; blocks > 0; --blocks) {
    const uint32_t pixels = (left + blocks - 1) / blocks;
    rt_gather_pixels(from, pixels, words);
    rt_dot_pixels(filters, pixels, words, output);
    output += pixels * (uint32_t)state->out_channels;
    left -= pixels;
  }
}

static __attribute__((noinline)) void convolve(const rt_model *model, const rt_conv_state *state) {
  const int8_t *image = rt_model_data(model, state->input);
  int8_t *output = rt_model_buffer(model, state->output);
  const rt_dot_filters filters = {
      .weights = rt_model_data(model, state->filter),
      .bias = state->bias == RT_NONE ? NULL : rt_model_data(model, state->bias),
      .factors = state->factors,
      .factor_step = 1,
      .gains = state->gains,
      .taps = rt_gather_taps(state),
      .channels = state->out_channels,
      .output_offset = state->output_offset,
      .range = state->range,
  };
  int8_t *const scratch = rt_model_buffer(model, state->scratch);
  int8_t *const ring = output == image ? scratch + rt_gather_bytes(state) : NULL;
  const uint32_t before = rt_gather_bytes(state) + (ring == NULL ? 0 : rt_conv_offer_bytes(state));
  const uint32_t most = pixels_in(rt_model_buffer_bytes(model, state->scratch) - before, filters.taps);
  for (int32_t batch = 0; batch < state->batches; ++batch) {
    rt_gather from = rt_gather_start(state, image, scratch, ring);
    convolve_image(state, &filters, &from, (uint32_t *)(void *)(scratch + before), most, output);
    image += state->rows.input * state->columns.input * state->in_channels;
    output += state->rows.output * state->columns.output * state->out_channels;
  }
}

/* More pixels at once are faster and want more working memory: at least a share of what the tensors take. */
static uint32_t least_pixels(const rt_conv_state *state) {
  enum { SHARE = 8, LEAST = 2 };
  const int32_t out = state->rows.output * state->columns.output;
  const int32_t tensors =
      out * state->out_channels + state->rows.input * state->columns.input * state->in_channels;
  const uint32_t affordable = pixels_in((uint32_t)tensors / SHARE, rt_gather_taps(state));
  const uint32_t wanted = affordable < LEAST ? LEAST : affordable;
  return wanted < (uint32_t)out ? wanted : (uint32_t)out;
}

/* Taps that lie in the input, over all positions of the window. */
static uint32_t visible_taps(const rt_window *window) {
  uint32_t sum = 0;
  for (int32_t i = 0; i < window->output; ++i) {
    const rt_taps taps = rt_window_taps(window, i);
    sum += (uint32_t)(taps.end - taps.first);
  }
  return sum;
}

/* Where most of the window lies outside of a small input, or few sums are wanted of each patch, gathering
 * does not pay. Executed instructions of either way, by least squares over 670 shapes, gcc 12.2 -O2; within a
 * few per cent for the plain kernel and some ten for this one. */
static bool is_plain_faster(const rt_conv_state *state) {
  enum { LARGE = 64 };
  if (state->rows.output > LARGE || state->columns.output > LARGE) {
    return false;
  }
  const uint64_t pixels = (uint64_t)state->rows.output * (uint64_t)state->columns.output;
  const uint64_t filters = (uint64_t)state->out_channels,
                 blocks = (pixels + RT_DOT_PIXELS - 1) / RT_DOT_PIXELS;
  const uint64_t rows = visible_taps(&state->rows) * (uint64_t)state->columns.output;
  const uint64_t seen =
      (uint64_t)visible_taps(&state->rows) * visible_taps(&state->columns) * (uint64_t)state->in_channels;
  const uint64_t gathered = pixels * rt_gather_taps(state), fours = filters / 4, ones = filters % 4;
  const uint64_t plain = 180 + 139 * pixels + rows * (52 * fours + 57 * ones) +
                         seen * (12 * fours + 6 * ones) + 34 * pixels * filters;
  const uint64_t ours = 516 + pixels * (41 + 92 * (uint64_t)state->rows.filter) + gathered +
                        filters * (39 * blocks + 10 * pixels + gathered + gathered / 6);
  return plain <= ours + ours / 6;
}

void rt_conv_dsp_invoke(const rt_model *model, const void *kept) {
  const rt_conv_state *state = kept;
  if (!state->plain) {
    convolve(model, state);
  } else if (state->gains) {
    rt_conv_with_gains(model, state);
  } else {
    rt_conv_invoke(model, kept);
  }
}

bool rt_conv_dsp_prepare(rt_node *node) {
  rt_conv_state state, *kept;
  if (!rt_conv_read(node, &state, &kept)) {
    return false;
  }
  state.plain = is_plain_faster(&state);
  if (kept != NULL) {
    kept->gains = rt_gain_rewrite(kept->factors, (uint32_t)kept->out_channels);
    kept->plain = state.plain;
  }
  rt_conv_offer(node, &state, state.plain ? (uint32_t)state.in_channels : 0);
  const uint32_t patches = 4 * rt_widen_words(rt_gather_taps(&state)) * least_pixels(&state);
  return state.plain || rt_node_scratch(node, rt_gather_bytes(&state) + patches);
}

#endif
