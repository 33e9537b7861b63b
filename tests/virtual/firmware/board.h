/* SPDX-License-Identifier: Apache-2.0 */
/* A bare NUCLEO-F746ZG for the tests of the virtual board: clocks, USART3, cycle counter, fault handler. */
#ifndef TEST_BOARD_H
#define TEST_BOARD_H
#include <stdint.h>

#define REG32(address) (*(volatile uint32_t *)(address))

typedef struct {
  uint32_t magic, pc, lr, cfsr, hfsr, bfar, stage;
} fault_record;
#define FAULT_MAGIC 0xFA17C0DEu
extern fault_record last_fault;

void board_start(void);
int board_get(void);
void board_put(uint32_t byte);
void board_put_word(uint32_t word);
void board_set_stage(uint32_t stage);
uint32_t board_cycles(void);
void board_reset(void);
void app_main(void);
#endif
