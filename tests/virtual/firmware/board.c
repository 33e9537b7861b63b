/* SPDX-License-Identifier: Apache-2.0 */
/* Each BREAK_* leaves out or spoils one step, to see the virtual board notice it. */
#include "board.h"

#define RCC 0x40023800u
#define PWR 0x40007000u
#define FLASH_ACR REG32(0x40023C00u)
#define GPIOD 0x40020C00u
#define USART3 0x40004800u
#define SCB 0xE000ED00u

extern uint32_t _stack_top, _data_load, _data_start, _data_end, _bss_start, _bss_end;
fault_record last_fault __attribute__((section(".noinit")));
static volatile uint32_t current_stage;

void reset_handler(void);
void hard_fault_entry(void);
void hard_fault(const uint32_t *frame);

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &_stack_top, (const void *)reset_handler, 0, (const void *)hard_fault_entry};

static void set_bits(uint32_t address, uint32_t mask, uint32_t value) {
  REG32(address) = (REG32(address) & ~mask) | value;
}

static void wait_for(uint32_t address, uint32_t mask, uint32_t value) {
  while ((REG32(address) & mask) != value) {
  }
}

static void clock_start(void) {
#ifndef BREAK_PWREN
  set_bits(RCC + 0x40, 1u << 28, 1u << 28);
#endif
  (void)REG32(RCC + 0x40);
  set_bits(PWR, 0xC000u, 0xC000u);
  set_bits(RCC, 1u << 18, 1u << 18);
  set_bits(RCC, 1u << 16, 1u << 16);
  wait_for(RCC, 1u << 17, 1u << 17);
  REG32(RCC + 0x04) = 0x29403604u;
  set_bits(RCC, 1u << 24, 1u << 24);
#ifndef BREAK_OVERDRIVE
  set_bits(PWR, 1u << 16, 1u << 16);
  wait_for(PWR + 4, 1u << 16, 1u << 16);
  set_bits(PWR, 1u << 17, 1u << 17);
  wait_for(PWR + 4, 1u << 17, 1u << 17);
#endif
#ifndef BREAK_LATENCY
  FLASH_ACR = 0x307u;
  wait_for(0x40023C00u, 0xFu, 7u);
#endif
  set_bits(RCC + 0x08, 0xFCF0u, 0x9400u);
  wait_for(RCC, 1u << 25, 1u << 25);
  set_bits(RCC + 0x08, 3u, 2u);
  wait_for(RCC + 0x08, 0xCu, 8u);
}

static void uart_start(void) {
  set_bits(RCC + 0x30, 1u << 3, 1u << 3);
#ifndef BREAK_UART_CLOCK
  set_bits(RCC + 0x40, 1u << 18, 1u << 18);
#endif
#ifndef BREAK_PINS
  set_bits(GPIOD + 0x24, 0xFFu, 0x77u);
#endif
  set_bits(GPIOD, 0xFu << 16, 0xAu << 16);
#ifdef BREAK_BAUD
  REG32(USART3 + 0x0C) = 139; /* right for 16 MHz */
#else
  REG32(USART3 + 0x0C) = 469; /* 54 MHz / 115200 */
#endif
  REG32(USART3) = 0xDu;
}

static void cycles_start(void) {
  set_bits(0xE000EDFCu, 1u << 24, 1u << 24);
#ifndef BREAK_LOCK
  REG32(0xE0001FB0u) = 0xC5ACCE55u;
#endif
  REG32(0xE0001004u) = 0;
  set_bits(0xE0001000u, 1u, 1u);
}

static void caches_start(void) {
  REG32(0xE000EF50u) = 0;
  set_bits(SCB + 0x14, 1u << 17, 1u << 17);
  REG32(SCB + 0x84) = 0;
  uint32_t size = REG32(SCB + 0x80);
  for (uint32_t set = (size >> 13) & 0x7FFFu; set != UINT32_MAX; set--)
    for (uint32_t way = (size >> 3) & 0x3FFu; way != UINT32_MAX; way--)
      REG32(0xE000EF60u) = way << 30 | set << 5;
  set_bits(SCB + 0x14, 1u << 16, 1u << 16);
}

void board_start(void) {
  clock_start();
  caches_start();
  uart_start();
  cycles_start();
}

int board_get(void) {
  while (!(REG32(USART3 + 0x1C) & 0x20u)) {
  }
  return (int)(REG32(USART3 + 0x24) & 0xFFu);
}

void board_put(uint32_t byte) {
  while (!(REG32(USART3 + 0x1C) & 0x80u)) {
  }
  REG32(USART3 + 0x28) = byte & 0xFFu;
}

void board_put_word(uint32_t word) {
  for (uint32_t i = 0; i < 4; i++)
    board_put(word >> (8 * i));
}

__attribute__((noinline)) void board_set_stage(uint32_t stage) {
  current_stage = stage;
  REG32(0xE0000000u) = stage;
}

__attribute__((noinline)) uint32_t board_cycles(void) { return REG32(0xE0001004u); }

void board_reset(void) {
  REG32(SCB + 0x0C) = 0x05FA0004u;
  __asm volatile("dsb");
  for (;;) {
  }
}

__attribute__((used)) void hard_fault(const uint32_t *frame) {
#ifdef BREAK_HANDLER
  (void)REG32(0x60000000u);
#endif
  last_fault = (fault_record){FAULT_MAGIC,       frame[6],          frame[5],     REG32(SCB + 0x28),
                              REG32(SCB + 0x2C), REG32(SCB + 0x38), current_stage};
  board_reset();
}

__attribute__((naked)) void hard_fault_entry(void) {
  __asm volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n b hard_fault");
}

void reset_handler(void) {
  for (uint32_t *to = &_data_start, *from = &_data_load; to < &_data_end;)
    *to++ = *from++;
  for (uint32_t *to = &_bss_start; to < &_bss_end;)
    *to++ = 0;
#ifndef BREAK_VTOR
  REG32(SCB + 0x08) = 0x08000000u;
#endif
#ifndef BREAK_FPU
  REG32(SCB + 0x88) |= 0xF00000u;
  __asm volatile("dsb\n isb");
#endif
  app_main();
  for (;;) {
  }
}
