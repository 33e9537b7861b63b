/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

static void append(text *out, const char *bytes, size_t count) {
  if (out->overflow || count > out->size - out->length) {
    out->overflow = true;
    return;
  }
  memcpy(out->buffer + out->length, bytes, count);
  out->length += count;
}

static void line(text *out, const char *key, const char *value, size_t count) {
  append(out, key, strlen(key));
  append(out, "=", 1);
  append(out, value, count);
  append(out, "\n", 1);
}

void text_begin(text *out, char *buffer, size_t size) {
  *out = (text){.buffer = buffer, .size = size, .length = 0, .overflow = false};
}

void text_string(text *out, const char *key, const char *value) { line(out, key, value, strlen(value)); }

void text_u64(text *out, const char *key, uint64_t value) {
  char decimal[20];
  size_t at = sizeof decimal;
  do {
    decimal[--at] = digits[value % 10u];
    value /= 10u;
  } while (value != 0);
  line(out, key, decimal + at, sizeof decimal - at);
}

void text_bytes(text *out, const char *key, const uint8_t *bytes, size_t count) {
  char hex[2u * 32u];
  count = count > 32u ? 32u : count;
  for (size_t i = 0; i < count; i++) {
    hex[2u * i] = digits[bytes[i] >> 4];
    hex[2u * i + 1u] = digits[bytes[i] & 15u];
  }
  line(out, key, hex, 2u * count);
}

void text_hex(text *out, const char *key, uint32_t value) {
  const uint8_t big_endian[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                                 (uint8_t)value};
  text_bytes(out, key, big_endian, sizeof big_endian);
}

bool text_complete(const text *out) { return !out->overflow; }
