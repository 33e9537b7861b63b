/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this port know of each other. */
#ifndef STM32F7_PORT_H
#define STM32F7_PORT_H

#include <stdint.h>

typedef struct {
  uint32_t core_clock_hz;
  uint32_t uart_clock_hz; /* PCLK1, which feeds USART3 */
  uint8_t external;       /* 1 = HSE bypass from the ST-LINK, 0 = HSI after HSE did not come */
} clock_state;

/* Core to 216 MHz; flash wait states and over-drive with it. */
clock_state clock_init(void);
/* L1 instruction and data cache on. */
void cache_init(void);
/* USART3 on PD8 (TX) and PD9 (RX), 8N1. */
void uart_init(uint32_t kernel_clock_hz, uint32_t baud);

#endif
