/* SPDX-License-Identifier: Apache-2.0 */
/* A firmware around a real port: brings the board up and answers one-letter commands through board_api.h. */
#include "board_api.h"
#include "image.h"

#include <string.h>

#define REG32(address) (*(volatile uint32_t *)(uintptr_t)(address))

const uint32_t image_baud = 115200;

int main(void);
uint32_t it_probe(volatile uint32_t *place);

/* A store under IT, a branch that must be looked up, and code whose condition is then false. */
__attribute__((naked, noinline)) uint32_t it_probe(volatile uint32_t *place) {
  (void)place;
  __asm volatile("  movs r2, #0      \n"
                 "  cmp r2, #0       \n"
                 "  itt eq           \n"
                 "  streq r2, [r0]   \n"
                 "  moveq r3, #1     \n"
                 "  adr r1, 1f       \n"
                 "  adds r1, r1, #1  \n"
                 "  cmp r2, #1       \n"
                 "  bx r1            \n"
                 "  .balign 4        \n"
                 "1: movs r0, #42    \n"
                 "  bx lr            \n");
}

static uint32_t get_word(void) {
  uint32_t word = 0;
  for (uint32_t i = 0; i < 4; i++) {
    word |= (uint32_t)board_getc() << (8u * i);
  }
  return word;
}

static void put(const void *bytes, size_t count) {
  board_write(bytes, count);
  board_flush();
}

static void put_word(uint32_t word) { put(&word, sizeof word); }

static void put_info(void) {
  board_info info;
  memset(&info, 0, sizeof info);
  board_get_info(&info);
  put(&info, sizeof info);
}

static void put_arena(void) {
  uint32_t size = 0;
  const uint32_t start = (uint32_t)(uintptr_t)board_arena(&size);
  put_word(start);
  put_word(size);
}

static void put_fault(void) {
  board_fault fault;
  const bool any = board_take_fault(&fault);
  put_word(any);
  if (any) {
    put(&fault, sizeof fault);
  }
}

static void put_cycles(void) {
  const uint64_t first = board_cycles(), second = board_cycles();
  put(&first, sizeof first);
  put(&second, sizeof second);
}

static void poke(void) {
  const uint32_t address = get_word();
  REG32(address) = get_word();
}

static void echo(void) {
  for (uint32_t left = get_word(); left > 0; left--) {
    const uint8_t byte = (uint8_t)board_getc();
    put(&byte, 1);
  }
}

static __attribute__((noinline)) uint32_t dive(uint32_t depth) {
  volatile uint32_t room[64];
  room[depth % 64u] = depth;
  return depth == 0 ? room[0] : dive(depth - 1) + room[depth % 64u];
}

static void command(int name) {
  switch (name) {
  case 'I':
    put_info();
    break;
  case 'A':
    put_arena();
    break;
  case 'R':
    put_word(REG32(get_word()));
    break;
  case 'W':
    poke();
    break;
  case 'E':
    echo();
    break;
  case 'C':
    put_cycles();
    break;
  case 'T':
    put_fault();
    break;
  case 'X':
    put_word(it_probe((volatile uint32_t *)(uintptr_t)get_word()));
    break;
  case 'S':
    board_set_stage(get_word());
    break;
  case 'D':
    put_word(dive(get_word()));
    break;
  case 'Q':
    board_reset();
  default:
    put("?", 1);
    break;
  }
}

int main(void) {
  board_init();
  put("!", 1);
  for (;;) {
    command(board_getc());
  }
}
