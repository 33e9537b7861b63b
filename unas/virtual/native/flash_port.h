/* SPDX-License-Identifier: Apache-2.0 */
/* The one port of a flash: one read at a time, each wait_states + 1 cycles long. */
#ifndef UNAS_FLASH_PORT_H
#define UNAS_FLASH_PORT_H

#include <stdint.h>

typedef struct {
  uint64_t free; /* the cycle from which on a read can start */
  uint32_t wait_states;
  uint32_t held; /* what the output register holds: number of a read; UINT32_MAX: nothing */
  uint64_t reads;
} flash_port;

/* The cycle at which the data of a read that is wanted at `request` are there. */
static inline uint64_t flash_port_read(flash_port *self, uint32_t number, uint64_t request) {
  uint64_t start = request > self->free ? request : self->free;
  self->free = start + self->wait_states + 1;
  self->held = number;
  self->reads++;
  return self->free;
}

#endif
