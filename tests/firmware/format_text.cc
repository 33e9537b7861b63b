/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what format_text makes of all its conversions, a line each: "<count> <text>". */
#include "format.h"

#include <cstdint>
#include <cstdio>
#include <cstring>

static void show(size_t size, const char *format, ...) {
  char out[64];
  std::memset(out, '#', sizeof out);
  va_list values;
  va_start(values, format);
  const int count = format_text(out, size, format, values);
  va_end(values);
  std::printf("%d %s\n", count, size == 0 ? "" : out);
}

int main() {
  show(64, "plain");
  show(64, "%s and %s", "one", static_cast<const char *>(nullptr));
  show(64, "%d %i %u", -2147483647 - 1, 42, 4294967295u);
  show(64, "%x%%%c", 0xbeefu, 'z');
  show(64, "%f then %d", 1.5, 7);
  show(64, "%q %d", 7);
  show(64, "ends in %");
  show(6, "%s", "too long for it");
  show(0, "%d", 1);
  char text[8] = "ab";
  format_append(text, sizeof text, "cdefghij");
  std::printf("%zu %s\n", std::strlen(text), text);
  return 0;
}
