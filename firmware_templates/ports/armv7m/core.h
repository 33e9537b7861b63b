/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of the Armv7-M core that ports touch: Armv7-M ARM B3.2 and C1, CMSIS core_cm4.h and core_cm7.h.
 */
#ifndef ARMV7M_CORE_H
#define ARMV7M_CORE_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define ITM_STIMULUS0 REG(0xE0000000u)
#define DWT_CTRL REG(0xE0001000u)
#define DWT_CTRL_CYCCNTENA (1u << 0)
#define DWT_CYCCNT REG(0xE0001004u)
#define DWT_LAR REG(0xE0001FB0u)
#define DWT_LAR_KEY 0xC5ACCE55u
#define SCB_CPUID REG(0xE000ED00u)
#define SCB_VTOR REG(0xE000ED08u)
#define SCB_AIRCR REG(0xE000ED0Cu)
#define SCB_AIRCR_SYSRESETREQ 0x05FA0004u
#define SCB_CCR REG(0xE000ED14u)
#define SCB_CCR_DC (1u << 16) /* M7 only; 0 elsewhere */
#define SCB_CCR_IC (1u << 17)
#define SCB_CFSR REG(0xE000ED28u)
#define SCB_CFSR_MMARVALID (1u << 7)
#define SCB_HFSR REG(0xE000ED2Cu)
#define SCB_MMFAR REG(0xE000ED34u)
#define SCB_BFAR REG(0xE000ED38u)
#define SCB_CPACR REG(0xE000ED88u)
#define SCB_DEMCR REG(0xE000EDFCu)
#define SCB_DEMCR_TRCENA (1u << 24)
#define SCB_DCCMVAC REG(0xE000EF68u)

static inline void core_dsb(void) { __asm volatile("dsb" ::: "memory"); }
static inline void core_isb(void) { __asm volatile("isb" ::: "memory"); }

#endif
