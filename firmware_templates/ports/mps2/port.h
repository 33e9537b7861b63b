/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MPS2_PORT_H
#define MPS2_PORT_H

/* Timer 0 counts down at 25 MHz, freely. */
void timer_init(void);

#endif
