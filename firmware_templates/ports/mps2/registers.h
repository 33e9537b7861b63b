/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of the MPS2 FPGA images: Arm DAI0386 and DAI0500, Cortex-M System Design Kit TRM (DDI 0479). */
#ifndef MPS2_REGISTERS_H
#define MPS2_REGISTERS_H

#include "core.h"

#define TIMER0_CTRL REG(0x40000000u)
#define TIMER_CTRL_EN (1u << 0)
#define TIMER0_VALUE REG(0x40000004u)
#define TIMER0_RELOAD REG(0x40000008u)
#define UART0_DATA REG(0x40004000u)
#define UART0_STATE REG(0x40004004u)
#define UART_STATE_TXFULL (1u << 0)
#define UART_STATE_RXFULL (1u << 1)
#define UART0_CTRL REG(0x40004008u)
#define UART_CTRL_TXEN (1u << 0)
#define UART_CTRL_RXEN (1u << 1)
#define UART0_BAUDDIV REG(0x40004010u)
#define SCC_ID REG(0x4002FFFCu)

#endif
