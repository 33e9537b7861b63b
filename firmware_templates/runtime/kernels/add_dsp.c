/* SPDX-License-Identifier: Apache-2.0 */
/* ADD of two tensors of one shape. The input with the larger scale has the factor 1/2, to the bit: scaling it
 * is a shift. The other goes the way of rt_gain.h, and both zero points with it, in one constant. */
#include "add.h"

#include "../rt_gain.h"
#include "../rt_kernels.h"

#if RT_DSP_KERNELS

enum { HALVED_BITS = RT_ADD_HEADROOM_BITS - 1 }; /* of the input whose factor is 1/2 */

typedef struct {
  const int8_t *large, *small; /* by their scales */
  int8_t *output;
  int32_t count;
  int32_t large_offset, small_offset, output_offset;
  rt_factor small_factor;
  rt_gain output_gain;
} add_job;

static bool is_half(rt_factor factor) { return factor.multiplier == 1 << 30 && factor.shift == 0; }

static inline int32_t wide(int32_t x, int32_t bits) { return (int32_t)((uint32_t)x << bits); }

/* Two tensors of the same scale. */
static void add_equals(const add_job *job) {
  const int8_t *a = job->large, *b = job->small;
  int8_t *output = job->output;
  const int32_t zero = wide(job->large_offset + job->small_offset, HALVED_BITS);
  const int32_t offset = rt_gain_offset(job->output_offset);
  const rt_gain gain = job->output_gain;
#pragma GCC unroll 2
  for (int32_t left = job->count; left > 0; --left) {
    const int32_t sum = zero + wide(*a++ + *b++, HALVED_BITS);
    *output++ = (int8_t)rt_gain_apply(sum, gain, offset);
  }
}

/* rt_scale of the smaller one, by its own signs: a product with 31 bits is never rounded to zero. */
static void add_others(const add_job *job) {
  const int8_t *a = job->large, *b = job->small;
  int8_t *output = job->output;
  const rt_factor factor = job->small_factor;
  const int32_t shift = -factor.shift, half = 1 << (shift - 1);
  const int32_t small_zero = wide(job->small_offset, RT_ADD_HEADROOM_BITS + 1);
  const int32_t large_zero = wide(job->large_offset, HALVED_BITS);
  const int32_t offset = rt_gain_offset(job->output_offset);
  const rt_gain gain = job->output_gain;
#pragma GCC unroll 2
  for (int32_t left = job->count; left > 0; --left) {
    const int32_t small = small_zero + wide(*b++, RT_ADD_HEADROOM_BITS + 1);
    const int32_t high = dsp_smmlar(small, factor.multiplier, half) + (small >> 31);
    const int32_t sum = (high >> shift) + wide(*a++, HALVED_BITS) + large_zero;
    *output++ = (int8_t)rt_gain_apply(sum, gain, offset);
  }
}

void rt_add_dsp_invoke(const rt_model *model, const void *kept) {
  const rt_add_state *state = kept;
  const int32_t large = is_half(state->input_factors[0]) ? 0 : 1;
  const rt_factor small_factor = state->input_factors[1 - large];
  const bool equal = is_half(small_factor);
  rt_factor output_factor = state->output_factor;
  if (!state->same_shape || !is_half(state->input_factors[large]) || (!equal && small_factor.shift > -1) ||
      small_factor.multiplier == 0 || !rt_gain_rewrite(&output_factor, 1)) {
    rt_add_invoke(model, kept);
    return;
  }
  add_job job = {.large = rt_model_data(model, state->inputs[large]),
                 .small = rt_model_data(model, state->inputs[1 - large]),
                 .output = rt_model_buffer(model, state->output),
                 .count = state->dims[0] * state->dims[1] * state->dims[2] * state->dims[3],
                 .large_offset = state->input_offsets[large],
                 .small_offset = state->input_offsets[1 - large],
                 .output_offset = state->output_offset,
                 .small_factor = small_factor};
  memcpy(&job.output_gain, &output_factor, sizeof job.output_gain);
  if (equal) {
    add_equals(&job);
  } else {
    add_others(&job);
  }
  rt_gain_clamp(job.output, (uint32_t)job.count, state->range);
}

#endif
