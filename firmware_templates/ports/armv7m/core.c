/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of board_api.h that are the same on every Armv7-M core: interrupt mask and free RAM. */
#include "core.h"
#include "board_api.h"

extern uint8_t link_arena_start[], link_arena_end[];

uint32_t board_irq_disable(void) {
  uint32_t primask;
  __asm volatile("mrs %0, primask\n cpsid i" : "=r"(primask)::"memory");
  return primask;
}

void board_irq_restore(uint32_t state) { __asm volatile("msr primask, %0" ::"r"(state) : "memory"); }

uint8_t *board_arena(uint32_t *size) {
  *size = (uint32_t)(link_arena_end - link_arena_start);
  return link_arena_start;
}
