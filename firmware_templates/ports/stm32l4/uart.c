/* SPDX-License-Identifier: Apache-2.0 */
/* LPUART1 on PG7/PG8: the ST-LINK's virtual COM port (UM2179). Polled: no interrupt can disturb a timed run.
 */
#include "board_api.h"
#include "port.h"
#include "registers.h"

#define PINS 7u /* PG7 and PG8 stand side by side */

static void set_pins(volatile uint32_t *reg, uint32_t both) {
  *reg = (*reg & ~(0xFu << 2u * PINS)) | both << 2u * PINS;
}

/* LPUART divides 256 times its clock by a 20-bit divider: RM0432 "LPUART baud rate generation". */
static uint32_t divider(uint32_t kernel_clock_hz, uint32_t baud) {
  return (uint32_t)((256ull * kernel_clock_hz + baud / 2u) / baud);
}

void uart_init(uint32_t kernel_clock_hz, uint32_t baud) {
  RCC_AHB2ENR |= RCC_AHB2ENR_GPIOG;
  RCC_CCIPR &= ~RCC_CCIPR_LPUART1SEL; /* PCLK1 */
  RCC_APB1ENR2 |= RCC_APB1ENR2_LPUART1;
  (void)RCC_APB1ENR2;
  GPIOG_AFRL = (GPIOG_AFRL & ~(0xFu << 28)) | 8u << 28; /* PG7: AF8 */
  GPIOG_AFRH = (GPIOG_AFRH & ~0xFu) | 8u;               /* PG8: AF8 */
  set_pins(&GPIOG_OSPEEDR, 0xAu);                       /* high speed */
  set_pins(&GPIOG_PUPDR, 0x5u);                         /* pull-up: the line idles high */
  set_pins(&GPIOG_MODER, 0xAu);                         /* alternate function; analog after reset */
  LPUART1_CR1 = 0;                                      /* PRESC and BRR are writable only while disabled */
  LPUART1_PRESC = 0;
  LPUART1_BRR = divider(kernel_clock_hz, baud);
  LPUART1_CR2 = 0;
  LPUART1_CR3 = 0;
  LPUART1_CR1 = LPUART_CR1_UE | LPUART_CR1_RE | LPUART_CR1_TE;
}

bool board_rx_ready(void) {
  const uint32_t isr = LPUART1_ISR;
  if (isr & LPUART_ISR_ERRORS) {
    /* an overrun that is not cleared stops reception; the CRC finds the loss */
    LPUART1_ICR = LPUART_ISR_ERRORS;
  }
  return (isr & LPUART_ISR_RXNE) != 0;
}

int board_getc(void) {
  while (!board_rx_ready()) {
  }
  return (int)(LPUART1_RDR & 0xFFu);
}

void board_write(const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    while (!(LPUART1_ISR & LPUART_ISR_TXE)) {
    }
    LPUART1_TDR = bytes[i];
  }
}

void board_flush(void) {
  while (!(LPUART1_ISR & LPUART_ISR_TC)) {
  }
}
