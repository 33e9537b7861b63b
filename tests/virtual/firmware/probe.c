/* SPDX-License-Identifier: Apache-2.0 */
/* Answers one-letter commands, so that the tests can ask the virtual board from within. */
#include "board.h"

static uint32_t get_word(void) {
  uint32_t word = 0;
  for (uint32_t i = 0; i < 4; i++)
    word |= (uint32_t)board_get() << (8 * i);
  return word;
}

/* Integer, memory, multiply, divide, float, IT blocks and calls: whatever a cycle model looks at. */
static volatile uint32_t table[64];
static __attribute__((noinline)) uint32_t work(uint32_t rounds) {
  uint32_t sum = 1;
  float scale = 0.5f;
  for (uint32_t i = 0; i < rounds; i++) {
    table[i & 63u] = sum;
    sum = sum * 1664525u + 1013904223u + table[(i * 7u) & 63u];
    if (sum & 0x10000u)
      sum ^= i;
    if (i % 5u == 0)
      scale = scale * 1.5f - (float)(sum & 7u);
    sum += sum / (i + 3u);
  }
  return sum + (uint32_t)(int32_t)(scale > 1e6f ? 1.0f : 2.0f);
}

/* Lives in RAM, and writes to the page it lives in. */
static volatile uint32_t calls = 40;
__attribute__((section(".data.code"), noinline, long_call)) static uint32_t from_ram(void) {
  calls += 1;
  return calls;
}

static void fault(uint32_t kind) {
  board_set_stage(0x50 + kind);
  switch (kind) {
  case 0:
    (void)REG32(0x60000000u); /* no memory there */
    break;
  case 1:
    REG32(0x08000000u) = 1; /* flash */
    break;
  case 2:
    __asm volatile("nop\n udf #7");
    break;
  case 3:
    ((void (*)(void))0xD0000001u)(); /* never executable */
    break;
  case 4:
    ((void (*)(void))0u)(); /* no Thumb bit */
    break;
  case 5:
    (void)REG32(0x40012C00u); /* a peripheral nobody modelled */
    break;
  case 6:
    __asm volatile("wfi");
    break;
  case 7:
    __asm volatile("svc #0");
    break;
  case 8:
    __asm volatile("mov sp, %0\n push {r0}" ::"r"(0x10000000u));
    break;
  default:
    (void)REG32(0x20050000u); /* the byte behind the RAM */
    break;
  }
}

static void report(void) {
  static const uint32_t registers[] = {0xE000ED00u, 0xE0042000u, 0x1FF0F420u, 0x1FF0F424u, 0x1FF0F428u,
                                       0x1FF0F440u, 0x40023808u, 0x40023C00u, 0xE000ED14u, 0xE000ED80u,
                                       0x40023874u, 0xE0001000u, 0xE000EF40u, 0xE000ED08u};
  for (uint32_t i = 0; i < sizeof registers / sizeof *registers; i++)
    board_put_word(REG32(registers[i]));
}

static void command(int name) {
  uint32_t before, result;
  switch (name) {
  case 'E': /* echo */
    for (uint32_t left = get_word(); left > 0; left--)
      board_put((uint32_t)board_get());
    break;
  case 'S': /* send */
    for (uint32_t left = get_word(), i = 0; i < left; i++)
      board_put(i);
    break;
  case 'R':
    board_put_word(REG32(get_word()));
    break;
  case 'W': /* work */
    result = get_word();
    board_set_stage(1);
    before = board_cycles();
    result = work(result);
    before = board_cycles() - before;
    board_set_stage(2);
    board_put_word(result);
    board_put_word(before);
    break;
  case 'C': /* two reads of the counter in one block */
    before = REG32(0xE0001004u);
    result = REG32(0xE0001004u);
    board_put_word(result - before);
    break;
  case 'I':
    report();
    break;
  case 'F':
    fault(get_word());
    break;
  case 'L': /* the fault before the last reset */
    for (uint32_t i = 0; i < sizeof last_fault / 4; i++)
      board_put_word(((const uint32_t *)&last_fault)[i]);
    break;
  case 'X':
    board_put_word(from_ram());
    break;
  case 'Q':
    board_reset();
    break;
  default:
    board_put('?');
    break;
  }
}

void app_main(void) {
  board_start();
  board_put('!');
  for (;;)
    command(board_get());
}
