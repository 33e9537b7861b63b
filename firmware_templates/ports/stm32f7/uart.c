/* SPDX-License-Identifier: Apache-2.0 */
/* USART3 on PD8/PD9: the ST-LINK's virtual COM port (UM1974 6.9). Polled: no interrupt can disturb a timed
 * run. */
#include "board_api.h"
#include "port.h"
#include "registers.h"

void uart_init(uint32_t kernel_clock_hz, uint32_t baud) {
  RCC_AHB1ENR |= RCC_AHB1ENR_GPIOD;
  RCC_APB1ENR |= RCC_APB1ENR_USART3;
  (void)RCC_APB1ENR;
  GPIOD_AFRH = (GPIOD_AFRH & ~0xFFu) | 0x77u;                   /* PD8, PD9: AF7 */
  GPIOD_OSPEEDR = (GPIOD_OSPEEDR & ~(0xFu << 16)) | 0xAu << 16; /* high speed */
  GPIOD_PUPDR = (GPIOD_PUPDR & ~(0xFu << 16)) | 0x5u << 16;     /* pull-up: the line idles high */
  GPIOD_MODER = (GPIOD_MODER & ~(0xFu << 16)) | 0xAu << 16;     /* alternate function */
  USART3_CR1 = 0;                                               /* BRR is writable only while disabled */
  USART3_BRR = (kernel_clock_hz + baud / 2u) / baud;
  USART3_CR2 = 0;
  USART3_CR3 = 0;
  USART3_CR1 = USART_CR1_UE | USART_CR1_RE | USART_CR1_TE;
}

bool board_rx_ready(void) {
  const uint32_t isr = USART3_ISR;
  if (isr & USART_ISR_ERRORS) {
    USART3_ICR =
        USART_ISR_ERRORS; /* an overrun that is not cleared stops reception; the CRC finds the loss */
  }
  return (isr & USART_ISR_RXNE) != 0;
}

int board_getc(void) {
  while (!board_rx_ready()) {
  }
  return (int)(USART3_RDR & 0xFFu);
}

void board_write(const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    while (!(USART3_ISR & USART_ISR_TXE)) {
    }
    USART3_TDR = bytes[i];
  }
}

void board_flush(void) {
  while (!(USART3_ISR & USART_ISR_TC)) {
  }
}
