/* SPDX-License-Identifier: Apache-2.0 */
/* One function for each number of pixels, from one source: the compiler knows the number in each. GCC 12
 * keeps six sums and all else that the inner loop needs in the 14 registers there are; it does not if sums
 * lie in an array. */
#include "dot_dsp.h"

#include "../rt_gain.h"
#include "widen_dsp.h"

#if RT_DSP_KERNELS

#define ALWAYS_INLINE static inline __attribute__((always_inline))

typedef struct {
  const uint32_t *inputs;
  uint32_t s0, s1, s2, s3, s4, s5;
} dot_sums;

ALWAYS_INLINE dot_sums add_4_taps(dot_sums at, uint32_t weights, uint32_t pixels) {
  const uint32_t odd = dsp_sxtb16_ror8(weights), even = dsp_sxtb16(weights);
  const uint32_t *from = at.inputs;
  if (pixels >= 2) {
    const dsp_words x = dsp_load_4(&from);
    at.s0 = dsp_smlad(x.b, odd, dsp_smlad(x.a, even, at.s0));
    at.s1 = dsp_smlad(x.d, odd, dsp_smlad(x.c, even, at.s1));
  }
  if (pixels >= 4) {
    const dsp_words x = dsp_load_4(&from);
    at.s2 = dsp_smlad(x.b, odd, dsp_smlad(x.a, even, at.s2));
    at.s3 = dsp_smlad(x.d, odd, dsp_smlad(x.c, even, at.s3));
  }
  if (pixels >= 6) {
    const dsp_words x = dsp_load_4(&from);
    at.s4 = dsp_smlad(x.b, odd, dsp_smlad(x.a, even, at.s4));
    at.s5 = dsp_smlad(x.d, odd, dsp_smlad(x.c, even, at.s5));
  }
  if (pixels % 2 == 1) {
    const dsp_words x = dsp_load_2(&from);
    if (pixels == 1) {
      at.s0 = dsp_smlad(x.b, odd, dsp_smlad(x.a, even, at.s0));
    } else if (pixels == 3) {
      at.s2 = dsp_smlad(x.b, odd, dsp_smlad(x.a, even, at.s2));
    } else {
      at.s4 = dsp_smlad(x.b, odd, dsp_smlad(x.a, even, at.s4));
    }
  }
  at.inputs = from;
  return at;
}

static __attribute__((noinline)) void requantize(const rt_dot_filters *filters, rt_factor factor,
                                                 const uint32_t sums[RT_DOT_PIXELS], uint32_t pixels,
                                                 int8_t *output) {
  for (uint32_t i = 0; i < pixels; ++i) {
    output[i * (uint32_t)filters->channels] =
        rt_requantize((int32_t)sums[i], factor, filters->output_offset, filters->range);
  }
}

/* One channel of all pixels, `step` bytes from pixel to pixel. */
ALWAYS_INLINE void finish(dot_sums at, rt_factor factor, int32_t offset, int32_t step, uint32_t pixels,
                          int8_t *output) {
  const rt_gain gain = {factor.multiplier, factor.shift};
  int8_t *const fourth = output + 3 * step;
  output[0] = (int8_t)rt_gain_apply((int32_t)at.s0, gain, offset);
  if (pixels > 1) {
    output[step] = (int8_t)rt_gain_apply((int32_t)at.s1, gain, offset);
  }
  if (pixels > 2) {
    output[2 * step] = (int8_t)rt_gain_apply((int32_t)at.s2, gain, offset);
  }
  if (pixels > 3) {
    fourth[0] = (int8_t)rt_gain_apply((int32_t)at.s3, gain, offset);
  }
  if (pixels > 4) {
    fourth[step] = (int8_t)rt_gain_apply((int32_t)at.s4, gain, offset);
  }
  if (pixels > 5) {
    fourth[2 * step] = (int8_t)rt_gain_apply((int32_t)at.s5, gain, offset);
  }
}

ALWAYS_INLINE void add_channels(const rt_dot_filters *filters, uint32_t pixels, const uint32_t *words,
                                int8_t *output) {
  static const int32_t NO_BIAS = 0;
  const uint32_t taps = filters->taps, left = taps % 4, bias_step = filters->bias != NULL;
  const bool special = left != 0 || !filters->gains;
  const int32_t offset = rt_gain_offset(filters->output_offset), *bias = bias_step ? filters->bias : &NO_BIAS;
  const rt_factor *factor = filters->factors;
  const int8_t *weights = filters->weights, *const output_end = output + filters->channels;
  /* Volatile: read from the stack when a step is over, it takes no register during one. */
  const uint32_t *const volatile middle = words + taps / 4 % 4 * 2 * pixels;
  const uint32_t *const volatile end = words + taps / 4 * 2 * pixels;
  for (; output != output_end; ++output) {
    const uint32_t start = (uint32_t)*bias;
    dot_sums at = {words, start, start, start, start, start, start};
    while (at.inputs != middle) {
      at = add_4_taps(at, dsp_read(weights), pixels);
      weights += 4;
    }
    while (at.inputs != end) {
      at = add_4_taps(at, dsp_read(weights), pixels);
      at = add_4_taps(at, dsp_read(weights + 4), pixels);
      at = add_4_taps(at, dsp_read(weights + 8), pixels);
      at = add_4_taps(at, dsp_read(weights + 12), pixels);
      weights += 16;
    }
    if (special) {
      if (left != 0) {
        weights += left;
        at = add_4_taps(at, rt_widen_read_last(weights, taps), pixels);
      }
      if (!filters->gains) {
        const uint32_t sums[RT_DOT_PIXELS] = {at.s0, at.s1, at.s2, at.s3, at.s4, at.s5};
        requantize(filters, *factor, sums, pixels, output);
      }
    }
    if (filters->gains) {
      finish(at, *factor, offset, filters->channels, pixels, output);
    }
    bias += bias_step;
    factor += filters->factor_step;
  }
}

enum { CHANNELS = 4 };

ALWAYS_INLINE uint32_t add_word(uint32_t sum, uint32_t weights, dsp_words x) {
  return dsp_smlad(x.b, dsp_sxtb16_ror8(weights), dsp_smlad(x.a, dsp_sxtb16(weights), sum));
}

/* Four taps of four channels, `taps` bytes apart. The barrier keeps the compiler from reading all words at
 * once, for which it has no registers. */
#define ADD_4_CHANNELS()                                                                                     \
  do {                                                                                                       \
    const dsp_words x = dsp_load_2(&words);                                                                  \
    s1 = add_word(s1, dsp_read(weights + taps), x);                                                          \
    s0 = add_word(s0, dsp_read(weights), x);                                                                 \
    weights += 4;                                                                                            \
    DSP_BARRIER();                                                                                           \
    s3 = add_word(s3, dsp_read(third + taps), x);                                                            \
    s2 = add_word(s2, dsp_read(third), x);                                                                   \
    third += 4;                                                                                              \
    DSP_BARRIER();                                                                                           \
  } while (0)

/* One pixel, four channels: here the inputs are what is shared. */
static __attribute__((noinline)) void sum_4_channels(const uint32_t *words, const int8_t *weights,
                                                     uint32_t taps, uint32_t sums[CHANNELS]) {
  const uint32_t *const volatile middle = words + taps / 4 % 2 * 2;
  const uint32_t *const volatile end = words + taps / 4 * 2;
  const int8_t *third = weights + 2 * taps;
  uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  while (words != middle) {
    ADD_4_CHANNELS();
  }
  while (words != end) {
    ADD_4_CHANNELS();
    ADD_4_CHANNELS();
  }
  if (taps % 4 != 0) {
    weights += (int32_t)(taps % 4) - 4;
    third += (int32_t)(taps % 4) - 4;
    ADD_4_CHANNELS();
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}

static uint32_t sum_channel(const uint32_t *words, const int8_t *weights, uint32_t taps) {
  uint32_t sum = 0;
  for (uint32_t pairs = taps / 8; pairs > 0; --pairs) {
    const dsp_words x = dsp_load_4(&words);
    sum = add_word(sum, dsp_read(weights), x);
    sum = add_word(sum, dsp_read(weights + 4), (dsp_words){x.c, x.d, 0, 0});
    weights += 8;
  }
  if (taps & 4) {
    sum = add_word(sum, dsp_read(weights), dsp_load_2(&words));
    weights += 4;
  }
  if (taps % 4 != 0) {
    sum = add_word(sum, rt_widen_read_last(weights + taps % 4, taps), dsp_load_2(&words));
  }
  return sum;
}

/* From sums without bias to outputs: some channels of one pixel, from `first` on. */
static void finish_channels(const rt_dot_filters *filters, int32_t first, uint32_t *sums, uint32_t count,
                            int8_t *output) {
  const uint32_t step = filters->factor_step;
  const rt_factor *factor = filters->factors + (uint32_t)first * step;
  const int32_t offset = rt_gain_offset(filters->output_offset);
  for (uint32_t i = 0; filters->bias != NULL && i < count; ++i) {
    sums[i] += (uint32_t)filters->bias[(uint32_t)first + i];
  }
  for (uint32_t i = 0; filters->gains && i < count; ++i) {
    output[i] = (int8_t)rt_gain_apply((int32_t)sums[i], (rt_gain){factor->multiplier, factor->shift}, offset);
    factor += step;
  }
  for (uint32_t i = 0; !filters->gains && i < count; ++i) {
    output[i] = rt_requantize((int32_t)sums[i], *factor, filters->output_offset, filters->range);
    factor += step;
  }
}

static void add_1(const rt_dot_filters *filters, const uint32_t *words, int8_t *output) {
  const int32_t channels = filters->channels;
  const uint32_t taps = filters->taps;
  const int8_t *weights = filters->weights;
  for (int32_t channel = 0; channel < channels;) {
    uint32_t sums[CHANNELS];
    const int32_t count = channels - channel >= CHANNELS && taps >= 4 ? CHANNELS : 1;
    if (count == CHANNELS) {
      sum_4_channels(words, weights, taps, sums);
    } else {
      sums[0] = sum_channel(words, weights, taps);
    }
    finish_channels(filters, channel, sums, (uint32_t)count, output + channel);
    weights += (uint32_t)count * taps;
    channel += count;
  }
}

static __attribute__((noinline)) void add_2(const rt_dot_filters *f, const uint32_t *w, int8_t *out) {
  add_channels(f, 2, w, out);
}
static __attribute__((noinline)) void add_3(const rt_dot_filters *f, const uint32_t *w, int8_t *out) {
  add_channels(f, 3, w, out);
}
static __attribute__((noinline)) void add_4(const rt_dot_filters *f, const uint32_t *w, int8_t *out) {
  add_channels(f, 4, w, out);
}
static __attribute__((noinline)) void add_5(const rt_dot_filters *f, const uint32_t *w, int8_t *out) {
  add_channels(f, 5, w, out);
}
static __attribute__((noinline)) void add_6(const rt_dot_filters *f, const uint32_t *w, int8_t *out) {
  add_channels(f, 6, w, out);
}

void rt_dot_pixels(const rt_dot_filters *filters, uint32_t pixels, const uint32_t *words, int8_t *output) {
  static void (*const ADD[])(const rt_dot_filters *, const uint32_t *, int8_t *) = {add_1, add_2, add_3,
                                                                                    add_4, add_5, add_6};
  ADD[pixels - 1](filters, words, output);
  if (filters->gains) {
    rt_gain_clamp(output, pixels * (uint32_t)filters->channels, filters->range);
  }
}

#endif
