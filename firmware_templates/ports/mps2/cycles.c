/* SPDX-License-Identifier: Apache-2.0 */
/* Executed instructions instead of cycles: QEMU has no cycle counter, but with -icount shift=6 an instruction
 * takes 64 ns of its time and a tick of timer 0 takes 40 ns. A tick count is therefore floor(1.6 n) for n
 * instructions since the timer started, which gives n back exactly. */
#include "board_api.h"
#include "port.h"
#include "registers.h"

static uint32_t ticks_last, ticks_high;

void timer_init(void) {
  TIMER0_CTRL = 0;
  TIMER0_RELOAD = UINT32_MAX;
  TIMER0_VALUE = UINT32_MAX;
  TIMER0_CTRL = TIMER_CTRL_EN;
}

uint64_t board_cycles(void) {
  const uint32_t now = UINT32_MAX - TIMER0_VALUE;
  if (now < ticks_last) {
    ticks_high++;
  }
  ticks_last = now;
  const uint64_t ticks = (uint64_t)ticks_high << 32 | now;
  return (5u * ticks + 7u) / 8u; /* the smallest n with floor(1.6 n) = ticks */
}
