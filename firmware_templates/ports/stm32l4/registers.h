/* SPDX-License-Identifier: Apache-2.0 */
/* STM32L4R5 registers this port touches. Addresses and bits: RM0432 and the CMSIS device header stm32l4r5xx.h
 * (cmsis_device_l4 v1.7.4). */
#ifndef STM32L4_REGISTERS_H
#define STM32L4_REGISTERS_H

#include "core.h"

#define RCC_CR REG(0x40021000u)
#define RCC_CR_MSION (1u << 0)
#define RCC_CR_MSIRDY (1u << 1)
#define RCC_CR_HSION (1u << 8)
#define RCC_CR_HSIRDY (1u << 10)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_CFGR REG(0x40021008u)
#define RCC_CFGR_SW 0x3u
#define RCC_CFGR_SWS 0xCu
#define RCC_CFGR_HPRE 0xF0u
#define RCC_CFGR_HPRE_2 0x80u
#define RCC_CFGR_PPRE 0x3F00u
#define RCC_PLLCFGR REG(0x4002100Cu)
#define RCC_AHB2ENR REG(0x4002104Cu)
#define RCC_AHB2ENR_GPIOG (1u << 6)
#define RCC_APB1ENR1 REG(0x40021058u)
#define RCC_APB1ENR1_PWR (1u << 28)
#define RCC_APB1ENR2 REG(0x4002105Cu)
#define RCC_APB1ENR2_LPUART1 (1u << 0)
#define RCC_CCIPR REG(0x40021088u)
#define RCC_CCIPR_LPUART1SEL (3u << 10)
#define RCC_CSR REG(0x40021094u)
#define RCC_CSR_FLAGS 0xFF000000u
#define RCC_CSR_RMVF (1u << 23)

#define PWR_CR1 REG(0x40007000u)
#define PWR_CR1_VOS (3u << 9)
#define PWR_CR1_VOS_RANGE1 (1u << 9)
#define PWR_CR2 REG(0x40007004u)
#define PWR_CR2_IOSV (1u << 9)
#define PWR_SR2 REG(0x40007014u)
#define PWR_SR2_VOSF (1u << 10)
#define PWR_CR5 REG(0x40007080u)
#define PWR_CR5_R1MODE (1u << 8)

#define FLASH_ACR REG(0x40022000u)
#define FLASH_ACR_LATENCY 0xFu
#define FLASH_ACR_PRFTEN (1u << 8)
#define FLASH_ACR_ICEN (1u << 9)
#define FLASH_ACR_DCEN (1u << 10)

#define GPIOG_MODER REG(0x48001800u)
#define GPIOG_OSPEEDR REG(0x48001808u)
#define GPIOG_PUPDR REG(0x4800180Cu)
#define GPIOG_AFRL REG(0x48001820u)
#define GPIOG_AFRH REG(0x48001824u)

#define LPUART1_CR1 REG(0x40008000u)
#define LPUART_CR1_UE (1u << 0)
#define LPUART_CR1_RE (1u << 2)
#define LPUART_CR1_TE (1u << 3)
#define LPUART1_CR2 REG(0x40008004u)
#define LPUART1_CR3 REG(0x40008008u)
#define LPUART1_BRR REG(0x4000800Cu)
#define LPUART1_ISR REG(0x4000801Cu)
#define LPUART_ISR_ERRORS 0xFu /* ORE, NE, FE, PE: the same bits clear them in ICR */
#define LPUART_ISR_RXNE (1u << 5)
#define LPUART_ISR_TC (1u << 6)
#define LPUART_ISR_TXE (1u << 7)
#define LPUART1_ICR REG(0x40008020u)
#define LPUART1_RDR REG(0x40008024u)
#define LPUART1_TDR REG(0x40008028u)
#define LPUART1_PRESC REG(0x4000802Cu)

#define UNIQUE_ID(word) REG(0x1FFF7590u + 4u * (word))
#define DBGMCU_IDCODE REG(0xE0042000u)

#endif
