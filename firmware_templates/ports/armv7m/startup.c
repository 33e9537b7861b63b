/* SPDX-License-Identifier: Apache-2.0 */
/* Vector table and start-up. STM32s fetch their reset vector through an alias of the flash (0, or the F7's
 * ITCM port); everything is linked at the flash's own address, so VTOR is set by hand. */
#include "core.h"

#include <string.h>

extern uint32_t link_data_load[], link_data_start[], link_data_end[], link_bss_start[], link_bss_end[];
extern uint32_t link_stack_top[];

int main(void);
void Reset_Handler(void);
void fault_handler(void);

typedef void (*vector)(void);

/* Faults that are not enabled one by one escalate to HardFault; the firmware uses no interrupt. */
__attribute__((section(".isr_vector"), used)) static const vector vectors[16] = {
    (vector)(uintptr_t)link_stack_top,
    Reset_Handler,
    fault_handler, /* NMI */
    fault_handler, /* HardFault */
    fault_handler, /* MemManage */
    fault_handler, /* BusFault */
    fault_handler, /* UsageFault */
    0,
    0,
    0,
    0,
    fault_handler, /* SVCall */
    fault_handler, /* DebugMonitor */
    0,
    fault_handler, /* PendSV */
    fault_handler, /* SysTick */
};

void Reset_Handler(void) {
  SCB_VTOR = (uint32_t)(uintptr_t)vectors;
  SCB_CPACR |= 0xFu << 20; /* FPU: full access for CP10 and CP11, before any compiled code may use it */
  core_dsb();
  core_isb();
  memcpy(link_data_start, link_data_load, (size_t)((char *)link_data_end - (char *)link_data_start));
  memset(link_bss_start, 0, (size_t)((char *)link_bss_end - (char *)link_bss_start));
  (void)main();
  for (;;) {
  }
}
