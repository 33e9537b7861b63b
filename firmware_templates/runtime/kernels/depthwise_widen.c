/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_widen.h"

#if RT_DSP_KERNELS

uint32_t *rt_depthwise_pack(uint32_t *packed, const int8_t *weights, int32_t channels, int32_t taps,
                            int32_t lanes) {
  for (; lanes == RT_DEPTHWISE_LANES && taps > 0; --taps) {
    const uint32_t word = dsp_read(weights);
    dsp_write_two(&packed, dsp_sxtb16(word), dsp_sxtb16_ror8(word));
    weights += channels;
  }
  for (; taps > 0; --taps) {
    const uint32_t word = rt_depthwise_read(weights, lanes);
    dsp_write_two(&packed, dsp_sxtb16(word), dsp_sxtb16_ror8(word));
    weights += channels;
  }
  return packed;
}

uint32_t *rt_depthwise_pack_shared(uint32_t *packed, const int8_t *weights, int32_t channels, int32_t taps,
                                   int32_t lanes, bool pairs) {
  const int32_t step = pairs ? 2 : 1;
  for (int32_t tap = 0; tap < taps; tap += step) {
    const uint32_t first = rt_depthwise_read(weights, lanes);
    const uint32_t second = pairs && tap + 1 < taps ? rt_depthwise_read(weights + channels, lanes) : 0;
    const uint32_t a02 = dsp_sxtb16(first), a13 = dsp_sxtb16_ror8(first);
    const uint32_t b02 = dsp_sxtb16(second), b13 = dsp_sxtb16_ror8(second);
    dsp_write_two(&packed, dsp_pkhbt16(a02, b02), dsp_pkhbt16(a13, b13));
    if (lanes > 1) {
      dsp_write_two(&packed, dsp_pkhtb16(b02, a02), dsp_pkhtb16(b13, a13));
    }
    weights += step * channels;
  }
  return packed;
}

/* A function of its own: the one below is fast only if it needs few registers. */
static __attribute__((noinline)) void load_lanes(const rt_depthwise_source *source, const int8_t *input,
                                                 uint32_t *cell) {
  for (int32_t width = source->width; width > 0; --width) {
    const uint32_t word = rt_depthwise_read(input, source->lanes);
    dsp_write_two(&cell, dsp_sxtab16(source->offsets, word), dsp_sxtab16_ror8(source->offsets, word));
    input += source->channels;
  }
}

void rt_depthwise_load(const rt_depthwise_source *source, const int8_t *input, uint8_t *slot) {
  uint32_t *cell = (uint32_t *)(void *)slot + 2 * source->left;
  if (source->lanes != RT_DEPTHWISE_LANES) {
    load_lanes(source, input, cell);
    return;
  }
  const uint32_t offsets = source->offsets;
  const int32_t channels = source->channels;
  for (int32_t width = source->width; width > 0; --width) {
    const uint32_t word = dsp_read(input);
    dsp_write_two(&cell, dsp_sxtab16(offsets, word), dsp_sxtab16_ror8(offsets, word));
    input += channels;
  }
}

void rt_depthwise_load_shared(const rt_depthwise_source *source, const int8_t *input, uint8_t *slot) {
  const int32_t offset = (int16_t)source->offsets, channels = source->channels;
  int16_t *cell = (int16_t *)(void *)slot + source->left;
  for (int32_t width = source->width; width > 0; --width) {
    *cell++ = (int16_t)(*input + offset);
    input += channels;
  }
}

#endif
