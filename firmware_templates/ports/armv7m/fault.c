/* SPDX-License-Identifier: Apache-2.0 */
/* A fault leaves its record in RAM that start-up does not clear, and resets; the next HELLO reports it. */
#include "board_api.h"
#include "core.h"

void fault_handler(void);
void fault_record(const uint32_t *frame);

static __attribute__((section(".noinit"))) board_fault fault_kept;
static __attribute__((section(".noinit"))) volatile uint32_t fault_stage;

__attribute__((naked)) void fault_handler(void) {
  __asm volatile("tst lr, #4      \n" /* which stack holds the frame? */
                 "ite eq          \n"
                 "mrseq r0, msp   \n"
                 "mrsne r0, psp   \n"
                 "b fault_record  \n");
}

/* frame: r0 r1 r2 r3 r12 lr pc xpsr, as the core pushed them. */
__attribute__((used)) void fault_record(const uint32_t *frame) {
  const uint32_t cfsr = SCB_CFSR;
  fault_kept.lr = frame[5];
  fault_kept.pc = frame[6];
  fault_kept.cfsr = cfsr;
  fault_kept.hfsr = SCB_HFSR;
  fault_kept.fault_address = (cfsr & SCB_CFSR_MMARVALID) ? SCB_MMFAR : SCB_BFAR;
  fault_kept.stage = fault_stage;
  fault_kept.magic = BOARD_FAULT_MAGIC;
  board_reset();
}

bool board_take_fault(board_fault *fault) {
  if (fault_kept.magic != BOARD_FAULT_MAGIC) {
    return false;
  }
  *fault = fault_kept;
  fault_kept.magic = 0;
  return true;
}

void board_set_stage(uint32_t stage) {
  fault_stage = stage;
  /* The trace port: a debugger, or the virtual board, sees when each stage begins; ignored where none
   * listens. */
  ITM_STIMULUS0 = stage;
}

void board_reset(void) {
  if (SCB_CCR & SCB_CCR_DC) {
    /* The record must reach the RAM before the reset: clean its lines out of the data cache. */
    const uintptr_t first = (uintptr_t)&fault_kept & ~(uintptr_t)31u;
    for (uintptr_t line = first; line < (uintptr_t)(&fault_kept + 1); line += 32u) {
      SCB_DCCMVAC = (uint32_t)line;
    }
  }
  core_dsb();
  SCB_AIRCR = SCB_AIRCR_SYSRESETREQ;
  core_dsb();
  for (;;) {
  }
}
