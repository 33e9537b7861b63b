/* SPDX-License-Identifier: Apache-2.0 */
/* 120 MHz from HSI16, in the order of RM0432 5.1.8 and 6.2.8: regulator to range 1 boost, PLL, wait states,
 * switch at half speed, full speed. The board's HSE is not wired (no MCO from the ST-LINK by default), so HSE
 * is never asked for; HSI16 is good to +-1 %. */
#include "port.h"
#include "registers.h"

/* HSI16 / 2 * 30 / 2: VCO 8 -> 240 MHz, PLLR on. */
#define PLLCFGR_HSI16 0x01001E12u
#define WAIT_STATES 5u /* HCLK > 100 MHz in range 1: RM0432 table 12 */

static void wait_for(volatile uint32_t *reg, uint32_t mask, uint32_t value) {
  while ((*reg & mask) != value) {
  }
}

/* A debugger may have left the PLL on; its registers are writable only while it is off. */
static void return_to_hsi(void) {
  RCC_CR |= RCC_CR_HSION;
  wait_for(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY);
  RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW) | 1u;
  wait_for(&RCC_CFGR, RCC_CFGR_SWS, 1u << 2);
  RCC_CR &= ~RCC_CR_PLLON;
  wait_for(&RCC_CR, RCC_CR_PLLRDY, 0);
}

static void supply_init(void) {
  RCC_APB1ENR1 |= RCC_APB1ENR1_PWR;
  (void)RCC_APB1ENR1; /* the enable takes two cycles */
  PWR_CR1 = (PWR_CR1 & ~PWR_CR1_VOS) | PWR_CR1_VOS_RANGE1;
  wait_for(&PWR_SR2, PWR_SR2_VOSF, 0);
  PWR_CR5 &= ~PWR_CR5_R1MODE; /* range 1 boost: 80 < SYSCLK <= 120 MHz */
  PWR_CR2 |= PWR_CR2_IOSV;    /* VDDIO2 is there: without it PG2..PG15, the UART's among them, are dead */
}

/* From under to over 80 MHz the core must run at half speed for 1 us first: RM0432 6.2.9. */
static void switch_to_pll(void) {
  RCC_CFGR = (RCC_CFGR & ~(RCC_CFGR_HPRE | RCC_CFGR_PPRE)) | RCC_CFGR_HPRE_2;
  RCC_CFGR |= RCC_CFGR_SW;
  wait_for(&RCC_CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS);
  for (volatile uint32_t round = 0; round < 60; round++) { /* >= 60 cycles at 60 MHz */
  }
  RCC_CFGR &= ~RCC_CFGR_HPRE;
}

clock_state clock_init(void) {
  const clock_state state = {.core_clock_hz = 120000000u, .uart_clock_hz = 120000000u};
  return_to_hsi();
  supply_init();
  RCC_PLLCFGR = PLLCFGR_HSI16;
  RCC_CR |= RCC_CR_PLLON;
  wait_for(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY);
  FLASH_ACR = WAIT_STATES | FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN;
  wait_for(&FLASH_ACR, FLASH_ACR_LATENCY, WAIT_STATES);
  switch_to_pll();
  return state;
}
