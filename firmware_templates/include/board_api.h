/* SPDX-License-Identifier: Apache-2.0 */
/* The seam between the firmware and a board: what a port in ports/<family>/ implements. */
#ifndef BOARD_API_H
#define BOARD_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the board says of itself; read from registers where the chip allows it, never from a constant. */
typedef struct {
  uint32_t core_clock_hz; /* HCLK as configured by board_init */
  uint32_t cpuid;         /* SCB->CPUID */
  uint32_t device_id;     /* DBGMCU_IDCODE or its like; 0 if unreadable */
  uint32_t reset_cause;   /* the chip's reset cause register as it was at start-up */
  uint8_t uid[12];        /* the chip's unique id */
  uint8_t clock_source;   /* 0 = internal oscillator, 1 = external */
  uint8_t icache, dcache; /* 1 = on */
  uint8_t flash_wait_states;
  uint8_t flash_accelerator; /* bit 0 prefetch, bit 1 ART or instruction cache, bit 2 data cache */
} board_info;

/* What the fault handler kept in no-init memory over the reset it forced. magic tells whether it is valid. */
#define BOARD_FAULT_MAGIC 0xFA17C0DEu
typedef struct {
  uint32_t magic;
  uint32_t pc, lr, cfsr, hfsr, fault_address;
  uint32_t stage; /* last value given to board_set_stage */
} board_fault;

/* Clocks, caches, UART, cycle counter. Runs once, before anything else. */
void board_init(void);
void board_get_info(board_info *info);

/* Cycles of the core clock since board_init, 64 bits wide; exact as long as it is called once per wrap
 * (2^32). */
uint64_t board_cycles(void);

/* The serial line to the host. board_getc waits; board_rx_ready says whether it would not. */
int board_getc(void);
bool board_rx_ready(void);
void board_write(const uint8_t *bytes, size_t count);
void board_flush(void); /* returns when the last bit has left */

/* Nothing may interrupt a timed run. */
uint32_t board_irq_disable(void);
void board_irq_restore(uint32_t state);

/* A marker of what is being done, reported when the core faults. */
void board_set_stage(uint32_t stage);
/* The record of a fault before the last reset; cleared by reading. Returns false if there was none. */
bool board_take_fault(board_fault *fault);

void board_reset(void) __attribute__((noreturn));

/* The RAM that is free for the tensor arena: everything the linker did not give to someone else. */
uint8_t *board_arena(uint32_t *size);

#endif
