/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the network once on a sample, then on every input that the serial line brings. Replace this file by
 * your own program: network.h is all it needs. */
#include "board_api.h"
#include "network.h"

#include <stddef.h>
#include <string.h>

/* Words on the trace port (ITM port 0) around each inference: a probe, or unas-hil run, counts between them.
 */
enum { STAGE_INFERENCE = 4, STAGE_DONE = 5 };

static const char digits[] = "0123456789abcdef";

static void print(const char *text) { board_write((const uint8_t *)text, strlen(text)); }

static void print_number(int32_t value) {
  char decimal[12] = {0};
  size_t at = sizeof decimal - 1u;
  uint32_t left = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
  do {
    decimal[--at] = digits[left % 10u];
    left /= 10u;
  } while (left != 0);
  if (value < 0) {
    decimal[--at] = '-';
  }
  print(decimal + at);
}

static void print_bytes(const int8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const uint8_t byte = (uint8_t)bytes[i];
    const char text[3] = {digits[byte >> 4], digits[byte & 15u], 0};
    print(text);
  }
}

static void end_line(void) {
  print("\r\n");
  board_flush();
}

/* One inference of the input that is in place, and a line about it. */
static void classify(void) {
  const uint32_t irq = board_irq_disable();
  board_set_stage(STAGE_INFERENCE);
  const uint64_t start = board_cycles();
  const int8_t *output = network_run();
  const uint64_t cycles = board_cycles() - start;
  board_set_stage(STAGE_DONE);
  board_irq_restore(irq);
  if (output == NULL) {
    print("error: ");
    print(network_error());
  } else {
    const int32_t class = network_class(output);
    print("class ");
    print_number(class);
    print(" (");
    print(network_class_name(class));
    print(") in ");
    print_number((int32_t)cycles);
    print(" cycles, output ");
    print_bytes(output, NETWORK_OUTPUT_BYTES);
  }
  end_line();
}

static int hex_value(int character) {
  const char *found = character == 0 ? NULL : strchr(digits, character | 0x20);
  return found == NULL ? -1 : (int)(found - digits);
}

/* A line of hex digits, two a byte of the input tensor; spaces do not matter. Returns their number; -1 for a
 * line that holds anything else. */
static int32_t receive(int8_t *input) {
  int32_t count = 0;
  for (;;) {
    const int character = board_getc();
    if (character == '\r' || character == '\n') {
      return count;
    }
    const int value = hex_value(character);
    if (character == ' ') {
      continue;
    }
    if (value < 0) {
      count = INT32_MIN / 2; /* counts on, and stays below zero */
    } else if (count >= 0 && count < 2 * NETWORK_INPUT_BYTES) {
      const uint8_t before = (uint8_t)input[count / 2];
      input[count / 2] = (int8_t)(uint8_t)(before << 4 | value);
    }
    count++;
  }
}

static void introduce(void) {
  board_info info;
  board_get_info(&info);
  print("network " NETWORK_ID " on " NETWORK_BOARD ", ");
  print_number((int32_t)info.core_clock_hz);
  print(" Hz, input ");
  print_number(NETWORK_INPUT_BYTES);
  print(" bytes, output ");
  print_number(NETWORK_OUTPUT_BYTES);
  print(" bytes, tensor arena ");
  print_number((int32_t)network_arena_bytes());
  print(" bytes");
  end_line();
}

int main(void) {
  board_init();
  board_fault fault;
  if (board_take_fault(&fault)) {
    print("the last run ended in a fault");
    end_line();
  }
  if (!network_open()) {
    print("error: ");
    print(network_error());
    end_line();
    for (;;) {
      (void)board_getc();
    }
  }
  introduce();
  print("sample");
  if (NETWORK_SAMPLE_CLASS >= 0) {
    print(" (wanted ");
    print_number(NETWORK_SAMPLE_CLASS);
    print(")");
  }
  print(": ");
  memcpy(network_input(), network_sample, NETWORK_INPUT_BYTES);
  classify();
  for (;;) {
    print("ready");
    end_line();
    int32_t count = 0;
    while (count == 0) { /* an empty line, or the second half of \r\n */
      count = receive(network_input());
    }
    if (count == 2 * NETWORK_INPUT_BYTES) {
      classify();
    } else {
      print("error: a line holds two hex digits a byte of the input, ");
      print_number(2 * NETWORK_INPUT_BYTES);
      print(" in all");
      end_line();
    }
  }
}
