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
  reset_cause = RCC_CSR & RCC_CSR_FLAGS;
  RCC_CSR |= RCC_CSR_RMVF;
  clock = clock_init();
  uart_init(clock.uart_clock_hz, image_baud);
  cycles_init();
}

void board_get_info(board_info *info) {
  const uint32_t acr = FLASH_ACR;
  info->core_clock_hz = clock.core_clock_hz;
  info->cpuid = SCB_CPUID;
  info->device_id = DBGMCU_IDCODE;
  info->reset_cause = reset_cause;
  for (uint32_t word = 0; word < 3; word++) {
    const uint32_t value = UNIQUE_ID(word);
    memcpy(info->uid + 4u * word, &value, sizeof value);
  }
  info->clock_source = 0;
  /* A Cortex-M4 has no caches of its own; those of the flash interface are told below. */
  info->icache = 0;
  info->dcache = 0;
  info->flash_wait_states = (uint8_t)(acr & FLASH_ACR_LATENCY);
  info->flash_accelerator = (uint8_t)((acr & FLASH_ACR_PRFTEN ? 1u : 0u) | (acr & FLASH_ACR_ICEN ? 2u : 0u) |
                                      (acr & FLASH_ACR_DCEN ? 4u : 0u));
}
