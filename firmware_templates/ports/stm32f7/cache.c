/* SPDX-License-Identifier: Apache-2.0 */
/* L1 caches, by the sequences of the Cortex-M7 TRM. ART and prefetch serve only the ITCM alias of the flash;
 * code and weights at 0x08000000 get their speed from here. */
#include "port.h"
#include "registers.h"

static void enable_icache(void) {
  core_dsb();
  core_isb();
  SCB_ICIALLU = 0;
  core_dsb();
  core_isb();
  SCB_CCR |= SCB_CCR_IC;
  core_dsb();
  core_isb();
}

static void enable_dcache(void) {
  SCB_CSSELR = 0; /* level 1, data */
  core_dsb();
  const uint32_t ccsidr = SCB_CCSIDR;
  const uint32_t last_set = (ccsidr >> 13) & 0x7FFFu;
  const uint32_t last_way = (ccsidr >> 3) & 0x3FFu;
  for (uint32_t set = 0; set <= last_set; set++) {
    for (uint32_t way = 0; way <= last_way; way++) {
      SCB_DCISW = (way << 30) | (set << 5); /* 4 ways, lines of 32 bytes */
    }
  }
  core_dsb();
  SCB_CCR |= SCB_CCR_DC;
  core_dsb();
  core_isb();
}

void cache_init(void) {
  if (!(SCB_CCR & SCB_CCR_IC)) {
    enable_icache();
  }
  if (!(SCB_CCR & SCB_CCR_DC)) {
    enable_dcache();
  }
}
