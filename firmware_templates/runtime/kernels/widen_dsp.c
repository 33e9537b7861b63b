/* SPDX-License-Identifier: Apache-2.0 */
#include "widen_dsp.h"

#if RT_DSP_KERNELS

/* The two stores stay together, at an address that the compiler does not know to be others plus a step: then
 * they are one instruction. */
static inline uint32_t *put_group(uint32_t bytes, uint32_t offsets, uint32_t *words, uint32_t step) {
  words[0] = dsp_sxtab16(offsets, bytes);
  words[1] = dsp_sxtab16_ror8(offsets, bytes);
  words += step;
  __asm__ volatile("" : "+r"(words) : : "memory");
  return words;
}

uint32_t *rt_widen_groups(const int8_t *inputs, uint32_t groups, uint32_t offsets, uint32_t *words,
                          uint32_t step) {
  if ((uintptr_t)inputs % 4 == 0) { /* nearly always where there is more than one group */
    const uint32_t *from = (const uint32_t *)(const void *)inputs;
    for (; groups >= 4; groups -= 4) {
      const dsp_words bytes = dsp_load_4(&from);
      words = put_group(bytes.a, offsets, words, step);
      words = put_group(bytes.b, offsets, words, step);
      words = put_group(bytes.c, offsets, words, step);
      words = put_group(bytes.d, offsets, words, step);
    }
    inputs = (const int8_t *)from;
  }
  for (; groups > 0; --groups) {
    words = put_group(dsp_read(inputs), offsets, words, step);
    inputs += 4;
  }
  return words;
}

uint32_t *rt_widen_zeros(uint32_t groups, uint32_t *words, uint32_t step) {
  for (; groups > 0; --groups) {
    words[0] = words[1] = 0;
    words += step;
  }
  return words;
}

void rt_widen_patch(const int8_t *inputs, uint32_t taps, uint32_t offsets, uint32_t *words, uint32_t step) {
  const uint32_t left = taps % 4;
  words = rt_widen_groups(inputs, taps / 4, offsets, words, step);
  if (left == 0) {
    return;
  }
  put_group(rt_widen_read_last(inputs + taps, taps), offsets, words, step);
  words[0] = left == 1 ? 0 : words[0] & 0xFFFF0000U;
  words[1] = left == 3 ? words[1] : words[1] & 0xFFFF0000U;
}

#endif
