/* SPDX-License-Identifier: Apache-2.0 */
/* board_api.h on the host: the whole firmware runs under the sanitizers, its UART is a terminal device. */
#include "board_api.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int line_fd = -1;
static uint64_t counter;
static uint8_t arena[1u << 20] __attribute__((aligned(32)));
static uint32_t arena_bytes = sizeof arena;

void board_init(void) {
  const char *path = getenv("HOST_BOARD_TTY");
  const char *limit = getenv("HOST_BOARD_ARENA");
  line_fd = path == NULL ? -1 : open(path, O_RDWR | O_NOCTTY);
  if (line_fd < 0) {
    fputs("HOST_BOARD_TTY must name a terminal device\n", stderr);
    exit(2);
  }
  if (limit != NULL) {
    arena_bytes = (uint32_t)strtoul(limit, NULL, 10);
  }
}

void board_get_info(board_info *info) {
  memset(info, 0, sizeof *info);
  info->core_clock_hz = 1000000u;
}

/* One cycle a call: the order of calls shows in the numbers. */
uint64_t board_cycles(void) { return counter++; }

bool board_rx_ready(void) { return true; }

int board_getc(void) {
  uint8_t byte;
  if (read(line_fd, &byte, 1) != 1) {
    exit(0); /* the host has hung up: a clean end, so that leaks are looked for */
  }
  return byte;
}

void board_write(const uint8_t *bytes, size_t count) {
  while (count > 0) {
    const ssize_t written = write(line_fd, bytes, count);
    if (written < 0) {
      exit(0);
    }
    bytes += written;
    count -= (size_t)written;
  }
}

void board_flush(void) {}
uint32_t board_irq_disable(void) { return 0; }
void board_irq_restore(uint32_t state) { (void)state; }
void board_set_stage(uint32_t stage) { (void)stage; }
bool board_take_fault(board_fault *fault) {
  (void)fault;
  return false;
}
void board_reset(void) { exit(0); }

uint8_t *board_arena(uint32_t *size) {
  *size = arena_bytes;
  return arena;
}
