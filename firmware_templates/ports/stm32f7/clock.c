/* SPDX-License-Identifier: Apache-2.0 */
/* 216 MHz from the ST-LINK's 8 MHz (HSE bypass), in the order of RM0385 4.1.4 and 5.2: PLL on, over-drive
 * while still on HSI, wait states, prescalers, switch. Falls back to HSI (+-1 %) when the 8 MHz do not come.
 */
#include "port.h"
#include "registers.h"

/* M, N = 216, P = 2, Q = 9; bits 30:28 keep their reset value on the F746. */
#define PLLCFGR_HSE 0x29403604u /* M = 4 */
#define PLLCFGR_HSI 0x29003608u /* M = 8 */
#define CFGR_PRESCALERS 0x9400u /* HPRE /1, PPRE1 /4, PPRE2 /2 */
#define HSE_PATIENCE 100000u    /* polls at 16 MHz: some 50 ms, ST's own start-up limit is 100 ms */

static void wait_for(volatile uint32_t *reg, uint32_t mask, uint32_t value) {
  while ((*reg & mask) != value) {
  }
}

/* A debugger may have left the PLL on; its registers are writable only while it is off. */
static void return_to_hsi(void) {
  RCC_CR |= RCC_CR_HSION;
  wait_for(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY);
  RCC_CFGR &= ~RCC_CFGR_SW;
  wait_for(&RCC_CFGR, RCC_CFGR_SWS, 0);
  RCC_CR &= ~(RCC_CR_PLLON | RCC_CR_HSEON);
  wait_for(&RCC_CR, RCC_CR_PLLRDY, 0);
}

static uint8_t start_hse(void) {
  RCC_CR |= RCC_CR_HSEBYP; /* only writable while HSEON is 0 */
  RCC_CR |= RCC_CR_HSEON;
  for (uint32_t i = 0; i < HSE_PATIENCE; i++) {
    if (RCC_CR & RCC_CR_HSERDY) {
      return 1;
    }
  }
  return 0;
}

static void enable_over_drive(void) {
  PWR_CR1 |= PWR_CR1_ODEN;
  wait_for(&PWR_CSR1, PWR_CSR1_ODRDY, PWR_CSR1_ODRDY);
  PWR_CR1 |= PWR_CR1_ODSWEN;
  wait_for(&PWR_CSR1, PWR_CSR1_ODSWRDY, PWR_CSR1_ODSWRDY);
}

clock_state clock_init(void) {
  clock_state state = {.core_clock_hz = 216000000u, .uart_clock_hz = 54000000u, .external = 0};
  return_to_hsi();
  RCC_APB1ENR |= RCC_APB1ENR_PWR;
  (void)RCC_APB1ENR; /* the enable takes two cycles */
  PWR_CR1 |= PWR_CR1_VOS_SCALE1;
  state.external = start_hse();
  RCC_PLLCFGR = state.external ? PLLCFGR_HSE : PLLCFGR_HSI;
  RCC_CR |= RCC_CR_PLLON;
  enable_over_drive();
  FLASH_ACR = 7u | FLASH_ACR_PRFTEN | FLASH_ACR_ARTEN; /* 210 < HCLK <= 216 MHz at 2.7-3.6 V */
  wait_for(&FLASH_ACR, FLASH_ACR_LATENCY, 7u);
  RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_PRESCALERS) | CFGR_PRESCALERS;
  wait_for(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY);
  RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW) | 2u;
  wait_for(&RCC_CFGR, RCC_CFGR_SWS, 2u << 2);
  return state;
}
