/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this port know of each other. */
#ifndef STM32L4_PORT_H
#define STM32L4_PORT_H

#include <stdint.h>

typedef struct {
  uint32_t core_clock_hz;
  uint32_t uart_clock_hz; /* PCLK1, which feeds LPUART1 */
} clock_state;

/* Core to 120 MHz; regulator, flash wait states, flash caches and the I/O supply of port G with it. */
clock_state clock_init(void);
/* LPUART1 on PG7 (TX) and PG8 (RX), 8N1. */
void uart_init(uint32_t kernel_clock_hz, uint32_t baud);

#endif
