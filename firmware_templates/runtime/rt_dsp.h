/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions of Arm's DSP extension that the kernels use, and which kernels are compiled.
 *
 * Elsewhere the same functions are plain C (RT_DSP_EMULATION), so that the very same kernels run on the host,
 * under sanitizers and beside the plain ones. Sums wrap, as the instructions' do. Not from ACLE: the rotated
 * and the packing forms, which GCC 12 does not put together from ACLE's pieces. (Armv7-M Architecture
 * Reference Manual, DDI 0403E.e, chapter A7.7.) */
#ifndef RT_DSP_H
#define RT_DSP_H

#include <stdint.h>
#include <string.h>

#if defined(RT_PLAIN_KERNELS)
#define RT_DSP_KERNELS 0
#elif defined(__ARM_FEATURE_DSP) || defined(RT_DSP_EMULATION)
#define RT_DSP_KERNELS 1
#else
#define RT_DSP_KERNELS 0
#endif

/* Four bytes, aligned or not; the lowest address is the lowest byte. Both kinds of core are little-endian. */
static inline uint32_t dsp_read(const int8_t *bytes) {
  uint32_t word;
  memcpy(&word, bytes, sizeof word);
  return word;
}

static inline void dsp_write(int8_t *bytes, uint32_t word) { memcpy(bytes, &word, sizeof word); }

/* Nothing is read from or written to memory across it. */
#define DSP_BARRIER() __asm__ volatile("" : : : "memory")

typedef struct {
  uint32_t a, b, c, d;
} dsp_words;

#if RT_DSP_KERNELS && defined(__ARM_FEATURE_DSP)

#include <arm_acle.h>

/* sum + a.low * b.low + a.high * b.high, on signed halves. */
static inline uint32_t dsp_smlad(uint32_t a, uint32_t b, uint32_t sum) {
  return (uint32_t)__smlad((int16x2_t)a, (int16x2_t)b, (int32_t)sum);
}

/* sum + one product of signed halves: bottom * bottom, top * top, bottom * top, top * bottom. */
static inline uint32_t dsp_smlabb(uint32_t a, uint32_t b, uint32_t sum) {
  return (uint32_t)__smlabb((int32_t)a, (int32_t)b, (int32_t)sum);
}
static inline uint32_t dsp_smlatt(uint32_t a, uint32_t b, uint32_t sum) {
  return (uint32_t)__smlatt((int32_t)a, (int32_t)b, (int32_t)sum);
}
static inline uint32_t dsp_smlabt(uint32_t a, uint32_t b, uint32_t sum) {
  return (uint32_t)__smlabt((int32_t)a, (int32_t)b, (int32_t)sum);
}
static inline uint32_t dsp_smlatb(uint32_t a, uint32_t b, uint32_t sum) {
  return (uint32_t)__smlatb((int32_t)a, (int32_t)b, (int32_t)sum);
}

/* round(a * b / 2^32), ties up, and plain (towards minus infinity). */
static inline int32_t dsp_smmulr(int32_t a, int32_t b) {
  int32_t high;
  __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(a), "r"(b));
  return high;
}
static inline int32_t dsp_smmul(int32_t a, int32_t b) {
  int32_t high;
  __asm__("smmul %0, %1, %2" : "=r"(high) : "r"(a), "r"(b));
  return high;
}

/* Bytes 0 and 2 (ror8: 1 and 3), sign-extended to halves; sxtab16 adds them to the halves of `halves`. */
static inline uint32_t dsp_sxtb16(uint32_t bytes) { return (uint32_t)__sxtb16((int8x4_t)bytes); }
static inline uint32_t dsp_sxtb16_ror8(uint32_t bytes) {
  uint32_t halves;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(bytes));
  return halves;
}
static inline uint32_t dsp_sxtab16(uint32_t halves, uint32_t bytes) {
  return (uint32_t)__sxtab16((int16x2_t)halves, (int8x4_t)bytes);
}
static inline uint32_t dsp_sxtab16_ror8(uint32_t halves, uint32_t bytes) {
  uint32_t sums;
  __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(sums) : "r"(halves), "r"(bytes));
  return sums;
}

/* a's bottom half under b's bottom half moved up; a's top half over b's top half moved down. */
static inline uint32_t dsp_pkhbt16(uint32_t a, uint32_t b) {
  uint32_t halves;
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(halves) : "r"(a), "r"(b));
  return halves;
}
static inline uint32_t dsp_pkhtb16(uint32_t a, uint32_t b) {
  uint32_t halves;
  __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(halves) : "r"(a), "r"(b));
  return halves;
}

/* Held between -128 and 127. */
static inline int32_t dsp_ssat8(int32_t x) { return __ssat(x, 8); }

/* a + b, held at the ends of 32 bits. */
static inline int32_t dsp_qadd(int32_t a, int32_t b) { return __qadd(a, b); }

/* sum + round(a * b / 2^32), ties up. */
static inline int32_t dsp_smmlar(int32_t a, int32_t b, int32_t sum) {
  int32_t high;
  __asm__("smmlar %0, %1, %2, %3" : "=r"(high) : "r"(a), "r"(b), "r"(sum));
  return high;
}

/* Two neighbouring words, aligned as words, and on to the next two: read, written. One instruction, where GCC
 * 12 takes two or three in C and keeps addresses on the stack. */
static inline uint32_t dsp_read_two(const uint32_t **words, uint32_t *second) {
  uint32_t first;
  __asm__("ldrd %0, %1, [%2], #8" : "=&r"(first), "=&r"(*second), "+r"(*words) : : "memory");
  return first;
}

static inline void dsp_write_two(uint32_t **words, uint32_t first, uint32_t second) {
  __asm__ volatile("strd %1, %2, [%0], #8" : "+r"(*words) : "r"(first), "r"(second) : "memory");
}

/* Bytewise greater and lesser of two, signed. The flags between SSUB8 and SEL stay within one statement. */
static inline uint32_t dsp_max_bytes(uint32_t a, uint32_t b) {
  uint32_t greater;
  __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(greater) : "r"(a), "r"(b) : "cc");
  return greater;
}
static inline uint32_t dsp_min_bytes(uint32_t a, uint32_t b) {
  uint32_t lesser;
  __asm__("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(lesser) : "r"(a), "r"(b) : "cc");
  return lesser;
}

/* Two and four aligned words in one instruction; *from moves behind them. The registers are named because LDM
 * fills them in ascending order. Volatile and with memory, so that it stays behind what filled the memory. */
static inline __attribute__((always_inline)) dsp_words dsp_load_2(const uint32_t **from) {
  const uint32_t *at = *from;
  register uint32_t a __asm__("r2"), b __asm__("r3");
  __asm__ volatile("ldmia %0!, {%1, %2}" : "+r"(at), "=r"(a), "=r"(b) : : "memory");
  *from = at;
  return (dsp_words){a, b, 0, 0};
}
static inline __attribute__((always_inline)) dsp_words dsp_load_4(const uint32_t **from) {
  const uint32_t *at = *from;
  register uint32_t a __asm__("r2"), b __asm__("r3"), c __asm__("r4"), d __asm__("r5");
  __asm__ volatile("ldmia %0!, {%1, %2, %3, %4}" : "+r"(at), "=r"(a), "=r"(b), "=r"(c), "=r"(d) : : "memory");
  *from = at;
  return (dsp_words){a, b, c, d};
}

#else

static inline uint32_t dsp_low(uint32_t halves) { return (uint32_t)(int32_t)(int16_t)halves; }
static inline uint32_t dsp_high(uint32_t halves) { return (uint32_t)(int32_t)(int16_t)(halves >> 16); }
static inline uint32_t dsp_pair(uint32_t low, uint32_t high) { return (low & 0xFFFFU) | high << 16; }
static inline uint32_t dsp_byte(uint32_t bytes, uint32_t n) {
  return (uint32_t)(int32_t)(int8_t)(bytes >> (8 * n));
}

static inline uint32_t dsp_smlabb(uint32_t a, uint32_t b, uint32_t sum) {
  return sum + dsp_low(a) * dsp_low(b);
}
static inline uint32_t dsp_smlatt(uint32_t a, uint32_t b, uint32_t sum) {
  return sum + dsp_high(a) * dsp_high(b);
}
static inline uint32_t dsp_smlabt(uint32_t a, uint32_t b, uint32_t sum) {
  return sum + dsp_low(a) * dsp_high(b);
}
static inline uint32_t dsp_smlatb(uint32_t a, uint32_t b, uint32_t sum) {
  return sum + dsp_high(a) * dsp_low(b);
}
static inline uint32_t dsp_smlad(uint32_t a, uint32_t b, uint32_t sum) {
  return dsp_smlatt(a, b, dsp_smlabb(a, b, sum));
}
static inline int32_t dsp_smmulr(int32_t a, int32_t b) {
  return (int32_t)(((int64_t)a * b + (INT64_C(1) << 31)) >> 32);
}
static inline int32_t dsp_smmul(int32_t a, int32_t b) { return (int32_t)(((int64_t)a * b) >> 32); }
static inline uint32_t dsp_sxtb16(uint32_t bytes) { return dsp_pair(dsp_byte(bytes, 0), dsp_byte(bytes, 2)); }
static inline uint32_t dsp_sxtb16_ror8(uint32_t bytes) {
  return dsp_pair(dsp_byte(bytes, 1), dsp_byte(bytes, 3));
}
static inline uint32_t dsp_sxtab16(uint32_t halves, uint32_t bytes) {
  return dsp_pair(halves + dsp_byte(bytes, 0), (halves >> 16) + dsp_byte(bytes, 2));
}
static inline uint32_t dsp_sxtab16_ror8(uint32_t halves, uint32_t bytes) {
  return dsp_pair(halves + dsp_byte(bytes, 1), (halves >> 16) + dsp_byte(bytes, 3));
}
static inline uint32_t dsp_pkhbt16(uint32_t a, uint32_t b) { return dsp_pair(a, b); }
static inline uint32_t dsp_pkhtb16(uint32_t a, uint32_t b) { return (a & 0xFFFF0000U) | b >> 16; }
static inline int32_t dsp_ssat8(int32_t x) { return x < INT8_MIN ? INT8_MIN : x > INT8_MAX ? INT8_MAX : x; }
static inline int32_t dsp_qadd(int32_t a, int32_t b) {
  const int64_t sum = (int64_t)a + b;
  return sum < INT32_MIN ? INT32_MIN : sum > INT32_MAX ? INT32_MAX : (int32_t)sum;
}
static inline int32_t dsp_smmlar(int32_t a, int32_t b, int32_t sum) {
  return (int32_t)((uint32_t)dsp_smmulr(a, b) + (uint32_t)sum);
}
static inline uint32_t dsp_read_two(const uint32_t **words, uint32_t *second) {
  const uint32_t first = (*words)[0];
  *second = (*words)[1];
  *words += 2;
  return first;
}
static inline void dsp_write_two(uint32_t **words, uint32_t first, uint32_t second) {
  (*words)[0] = first;
  (*words)[1] = second;
  *words += 2;
}
static inline uint32_t dsp_max_bytes(uint32_t a, uint32_t b) {
  uint32_t greater = 0;
  for (uint32_t n = 0; n < 4; ++n) {
    const int32_t x = (int8_t)(a >> (8 * n)), y = (int8_t)(b >> (8 * n));
    greater |= (uint32_t)(uint8_t)(x > y ? x : y) << (8 * n);
  }
  return greater;
}

static inline uint32_t dsp_min_bytes(uint32_t a, uint32_t b) { return ~dsp_max_bytes(~a, ~b); }

static inline dsp_words dsp_load_2(const uint32_t **from) {
  const uint32_t *at = *from;
  *from = at + 2;
  return (dsp_words){at[0], at[1], 0, 0};
}
static inline dsp_words dsp_load_4(const uint32_t **from) {
  const uint32_t *at = *from;
  *from = at + 4;
  return (dsp_words){at[0], at[1], at[2], at[3]};
}

#endif

#endif
