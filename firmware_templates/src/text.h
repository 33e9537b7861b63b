/* SPDX-License-Identifier: Apache-2.0 */
/* "key=value\n" lines in a buffer of fixed size. What does not fit is left out, and text_complete says so. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  char *buffer;
  size_t size, length;
  bool overflow;
} text;

void text_begin(text *out, char *buffer, size_t size);
void text_string(text *out, const char *key, const char *value);
void text_u64(text *out, const char *key, uint64_t value);
void text_hex(text *out, const char *key, uint32_t value);
void text_bytes(text *out, const char *key, const uint8_t *bytes, size_t count);
bool text_complete(const text *out);

#endif
