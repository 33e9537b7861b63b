/* SPDX-License-Identifier: Apache-2.0 */
/* The DWT cycle counter, widened to 64 bits: at 216 MHz its 32 bits wrap after 19.9 s. */
#include "board_api.h"
#include "port.h"
#include "registers.h"

static uint32_t cycles_last, cycles_high;

void cycles_init(void) {
  SCB_DEMCR |= SCB_DEMCR_TRCENA;
  DWT_LAR =
      DWT_LAR_KEY; /* without the key the M7 ignores the next two writes unless a debugger is attached */
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
