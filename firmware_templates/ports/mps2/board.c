/* SPDX-License-Identifier: Apache-2.0 */
/* board_api.h for the MPS2 boards of QEMU: UART 0, timer 0, identity. There are no clocks or caches to set.
 */
#include "board_api.h"
#include "image.h"
#include "port.h"
#include "registers.h"

#include <string.h>

enum { SYSTEM_CLOCK_HZ = 25000000, CORE_CLOCK_HZ = 15625000 /* 64 ns an instruction, see cycles.c */ };

void board_init(void) {
  UART0_BAUDDIV = (SYSTEM_CLOCK_HZ + image_baud / 2u) / image_baud;
  UART0_CTRL = UART_CTRL_TXEN | UART_CTRL_RXEN;
  timer_init();
}

void board_get_info(board_info *info) {
  static const char uid[] = "unasMPS2none"; /* such a board has no unique id */
  *info = (board_info){.core_clock_hz = CORE_CLOCK_HZ, .cpuid = SCB_CPUID, .device_id = SCC_ID};
  memcpy(info->uid, uid, sizeof info->uid);
}

bool board_rx_ready(void) { return (UART0_STATE & UART_STATE_RXFULL) != 0; }

int board_getc(void) {
  while (!board_rx_ready()) {
  }
  return (int)(UART0_DATA & 0xFFu);
}

void board_write(const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    while (UART0_STATE & UART_STATE_TXFULL) {
    }
    UART0_DATA = bytes[i];
  }
}

void board_flush(void) {
  while (UART0_STATE & UART_STATE_TXFULL) {
  }
}
