/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARMV7M_CYCLES_H
#define ARMV7M_CYCLES_H

/* DWT cycle counter on, from zero. */
void cycles_init(void);

#endif
