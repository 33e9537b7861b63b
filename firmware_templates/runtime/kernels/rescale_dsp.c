/* SPDX-License-Identifier: Apache-2.0 */
#include "../rt_gain.h"
#include "rescale.h"

#if RT_DSP_KERNELS

enum { MAX_SHIFT = 21 }; /* of a difference of two int8 values, doubled, within 32 bits */

/* A factor of at least 1/2: nothing is shifted right, so one rounding is all. */
static void enlarge(const rt_rescale_state *state, const int8_t *input, int8_t *output) {
  const int32_t shift = state->factor.shift + 1, multiplier = state->factor.multiplier;
  const int32_t input_offset = state->input_offset, output_offset = state->output_offset;
#pragma GCC unroll 2
  for (int32_t left = state->elements; left > 0; --left) {
    const int32_t x = rt_shift_left(*input++ + input_offset, shift);
    *output++ = (int8_t)dsp_ssat8(dsp_smmlar(x, multiplier, output_offset));
  }
}

static void shrink(const rt_rescale_state *state, rt_gain gain, const int8_t *input, int8_t *output) {
  const int32_t input_offset = state->input_offset, offset = rt_gain_offset(state->output_offset);
#pragma GCC unroll 2
  for (int32_t left = state->elements; left > 0; --left) {
    *output++ = (int8_t)rt_gain_apply(*input++ + input_offset, gain, offset);
  }
}

void rt_rescale_dsp_invoke(const rt_model *model, const void *kept) {
  const rt_rescale_state *state = kept;
  rt_factor factor = state->factor;
  if (factor.shift >= MAX_SHIFT) {
    rt_rescale_invoke(model, state);
    return;
  }
  const int8_t *input = rt_model_data(model, state->input);
  int8_t *output = rt_model_buffer(model, state->output);
  if (rt_gain_rewrite(&factor, 1)) {
    rt_gain gain;
    memcpy(&gain, &factor, sizeof gain);
    shrink(state, gain, input, output);
  } else {
    enlarge(state, input, output);
  }
  rt_gain_clamp(output, (uint32_t)state->elements, state->range);
}

#endif
