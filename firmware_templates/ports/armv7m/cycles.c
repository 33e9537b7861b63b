/* SPDX-License-Identifier: Apache-2.0 */
/* The DWT cycle counter, widened to 64 bits: its own 32 wrap after 19.9 s at 216 MHz. */
#include "cycles.h"

#include "board_api.h"
#include "core.h"

static uint32_t cycles_last, cycles_high;

void cycles_init(void) {
  SCB_DEMCR |= SCB_DEMCR_TRCENA;
  /* Without the key the M7 ignores the next two writes unless a debugger is attached; the M4 has no such
   * lock. */
  DWT_LAR = DWT_LAR_KEY;
  DWT_CYCCNT = 0;
  DWT_CTRL |= DWT_CTRL_CYCCNTENA;
  cycles_last = 0;
  cycles_high = 0;
}

uint64_t board_cycles(void) {
  const uint32_t now = DWT_CYCCNT;
  if (now < cycles_last) {
    cycles_high++;
  }
  cycles_last = now;
  return (uint64_t)cycles_high << 32 | now;
}
