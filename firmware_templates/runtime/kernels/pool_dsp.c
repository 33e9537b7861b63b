/* SPDX-License-Identifier: Apache-2.0 */
#include "pool_dsp.h"

#if RT_DSP_KERNELS

static void flush(uint32_t s02, uint32_t s13, uint32_t sums[RT_POOL_LANES]) {
  sums[0] += (uint32_t)(int32_t)(int16_t)s02;
  sums[1] += (uint32_t)(int32_t)(int16_t)s13;
  sums[2] += (uint32_t)((int32_t)s02 >> 16);
  sums[3] += (uint32_t)((int32_t)s13 >> 16);
}

void rt_pool_add_few(const rt_pool_patch *patch, uint32_t sums[RT_POOL_LANES]) {
  const int32_t channels = patch->channels;
  for (int32_t channel = 0; channel < channels; ++channel) {
    const int8_t *row = patch->inputs + channel;
    uint32_t sum = 0;
    for (int32_t left = patch->rows; left > 0; --left) {
      const int8_t *input = row;
      for (int32_t tap = patch->taps; tap > 0; --tap) {
        sum += (uint32_t)*input;
        input += channels;
      }
      row += patch->row_step;
    }
    sums[channel] = sum;
  }
}

void rt_pool_add_4(const rt_pool_patch *patch, int32_t channel, uint32_t sums[RT_POOL_LANES]) {
  const int32_t step = patch->channels, taps = patch->taps;
  const int8_t *row = patch->inputs + channel;
  uint32_t s02 = 0, s13 = 0;
  int32_t room = RT_POOL_MAX_TAPS;
  for (int32_t left = patch->rows; left > 0; --left) {
    const int8_t *input = row;
    if (room < taps) {
      room = RT_POOL_MAX_TAPS;
      flush(s02, s13, sums);
      s02 = 0;
      s13 = 0;
    }
    room -= taps;
    for (int32_t tap = taps; tap > 0; --tap) {
      const uint32_t word = dsp_read(input);
      s02 = dsp_sxtab16(s02, word);
      s13 = dsp_sxtab16_ror8(s13, word);
      input += step;
    }
    row += patch->row_step;
  }
  flush(s02, s13, sums);
}

#endif
