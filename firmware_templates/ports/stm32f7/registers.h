/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F746 and Cortex-M7 registers this port touches. Addresses and bits: RM0385 and the CMSIS device header
 * stm32f746xx.h (v1.2.9); core registers: Armv7-M ARM and Cortex-M7 TRM. */
#ifndef STM32F7_REGISTERS_H
#define STM32F7_REGISTERS_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define RCC_CR REG(0x40023800u)
#define RCC_CR_HSION (1u << 0)
#define RCC_CR_HSIRDY (1u << 1)
#define RCC_CR_HSEON (1u << 16)
#define RCC_CR_HSERDY (1u << 17)
#define RCC_CR_HSEBYP (1u << 18)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_PLLCFGR REG(0x40023804u)
#define RCC_CFGR REG(0x40023808u)
#define RCC_CFGR_SW 0x3u
#define RCC_CFGR_SWS 0xCu
#define RCC_CFGR_PRESCALERS 0xFCF0u
#define RCC_AHB1ENR REG(0x40023830u)
#define RCC_AHB1ENR_GPIOD (1u << 3)
#define RCC_APB1ENR REG(0x40023840u)
#define RCC_APB1ENR_USART3 (1u << 18)
#define RCC_APB1ENR_PWR (1u << 28)
#define RCC_CSR REG(0x40023874u)
#define RCC_CSR_RMVF (1u << 24)

#define PWR_CR1 REG(0x40007000u)
#define PWR_CR1_VOS_SCALE1 (3u << 14)
#define PWR_CR1_ODEN (1u << 16)
#define PWR_CR1_ODSWEN (1u << 17)
#define PWR_CSR1 REG(0x40007004u)
#define PWR_CSR1_ODRDY (1u << 16)
#define PWR_CSR1_ODSWRDY (1u << 17)

#define FLASH_ACR REG(0x40023C00u)
#define FLASH_ACR_LATENCY 0xFu
#define FLASH_ACR_PRFTEN (1u << 8)
#define FLASH_ACR_ARTEN (1u << 9)

#define GPIOD_MODER REG(0x40020C00u)
#define GPIOD_OSPEEDR REG(0x40020C08u)
#define GPIOD_PUPDR REG(0x40020C0Cu)
#define GPIOD_AFRH REG(0x40020C24u)

#define USART3_CR1 REG(0x40004800u)
#define USART_CR1_UE (1u << 0)
#define USART_CR1_RE (1u << 2)
#define USART_CR1_TE (1u << 3)
#define USART3_CR2 REG(0x40004804u)
#define USART3_CR3 REG(0x40004808u)
#define USART3_BRR REG(0x4000480Cu)
#define USART3_ISR REG(0x4000481Cu)
#define USART_ISR_ERRORS 0xFu /* ORE, NE, FE, PE: the same bits clear them in ICR */
#define USART_ISR_RXNE (1u << 5)
#define USART_ISR_TC (1u << 6)
#define USART_ISR_TXE (1u << 7)
#define USART3_ICR REG(0x40004820u)
#define USART3_RDR REG(0x40004824u)
#define USART3_TDR REG(0x40004828u)

#define UNIQUE_ID(word) REG(0x1FF0F420u + 4u * (word))
#define DBGMCU_IDCODE REG(0xE0042000u)

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
#define SCB_CCR_DC (1u << 16)
#define SCB_CCR_IC (1u << 17)
#define SCB_CFSR REG(0xE000ED28u)
#define SCB_CFSR_MMARVALID (1u << 7)
#define SCB_HFSR REG(0xE000ED2Cu)
#define SCB_MMFAR REG(0xE000ED34u)
#define SCB_BFAR REG(0xE000ED38u)
#define SCB_CCSIDR REG(0xE000ED80u)
#define SCB_CSSELR REG(0xE000ED84u)
#define SCB_CPACR REG(0xE000ED88u)
#define SCB_DEMCR REG(0xE000EDFCu)
#define SCB_DEMCR_TRCENA (1u << 24)
#define SCB_ICIALLU REG(0xE000EF50u)
#define SCB_DCISW REG(0xE000EF60u)

static inline void core_dsb(void) { __asm volatile("dsb" ::: "memory"); }
static inline void core_isb(void) { __asm volatile("isb" ::: "memory"); }

#endif
