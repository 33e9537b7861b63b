/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F746 registers this port touches. Addresses and bits: RM0385 and the CMSIS device header stm32f746xx.h
 * (v1.2.9); caches: Cortex-M7 TRM. */
#ifndef STM32F7_REGISTERS_H
#define STM32F7_REGISTERS_H

#include "core.h"

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

/* L1 caches of the Cortex-M7. */
#define SCB_CCSIDR REG(0xE000ED80u)
#define SCB_CSSELR REG(0xE000ED84u)
#define SCB_ICIALLU REG(0xE000EF50u)
#define SCB_DCISW REG(0xE000EF60u)

#endif
