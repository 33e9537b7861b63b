/* SPDX-License-Identifier: Apache-2.0 */
/* Bring-up in order; identity from registers. */
#include "board_api.h"
#include "cycles.h"
#include "image.h"
#include "port.h"
#include "registers.h"

#include <string.h>

static clock_state clock;
static uint32_t reset_cause;

void board_init(void) {
  reset_cause = RCC_CSR & 0xFE000000u;
  RCC_CSR |= RCC_CSR_RMVF;
  clock = clock_init();
  cache_init();
  uart_init(clock.uart_clock_hz, image_baud);
  cycles_init();
}

void board_get_info(board_info *info) {
  const uint32_t acr = FLASH_ACR, ccr = SCB_CCR;
  info->core_clock_hz = clock.core_clock_hz;
  info->cpuid = SCB_CPUID;
  info->device_id = DBGMCU_IDCODE;
  info->reset_cause = reset_cause;
  for (uint32_t word = 0; word < 3; word++) {
    const uint32_t value = UNIQUE_ID(word);
    memcpy(info->uid + 4u * word, &value, sizeof value);
  }
  info->clock_source = clock.external;
  info->icache = (ccr & SCB_CCR_IC) != 0;
  info->dcache = (ccr & SCB_CCR_DC) != 0;
  info->flash_wait_states = (uint8_t)(acr & FLASH_ACR_LATENCY);
  info->flash_accelerator = (uint8_t)((acr & FLASH_ACR_PRFTEN ? 1u : 0u) | (acr & FLASH_ACR_ARTEN ? 2u : 0u));
}
