/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include "format.h"

#include "tensorflow/lite/micro/debug_log.h"

#include <cstdlib>
#include <cstring>

namespace {

char first[96];
bool memory_is_missing;
unsigned missing_bytes;

unsigned number_after(const char *text, const char *words) {
  const char *at = std::strstr(text, words);
  unsigned value = 0;
  for (at = at == nullptr ? "" : at + std::strlen(words); *at >= '0' && *at <= '9'; ++at) {
    value = 10u * value + static_cast<unsigned>(*at - '0');
  }
  return value;
}

} // namespace

void log_clear() {
  first[0] = 0;
  memory_is_missing = false;
  missing_bytes = 0;
}

const char *log_first() { return first; }
bool log_memory_is_missing() { return memory_is_missing; }
unsigned log_missing_bytes() { return missing_bytes; }

/* The library's two outlets. Its own versions of them need a port or a C library with files. */
extern "C" void DebugLog(const char *format, va_list values) {
  static const char *const about_memory[] = {"Failed to allocate", "Failed to resize",
                                             "missing:", "too small"};
  char message[160];
  (void)format_text(message, sizeof message, format, values);
  for (char *end = message + std::strlen(message); end > message && end[-1] == '\n'; *--end = 0) {
  }
  if (first[0] == 0) {
    format_append(first, sizeof first, message);
  }
  for (const char *words : about_memory) {
    memory_is_missing = memory_is_missing || std::strstr(message, words) != nullptr;
  }
  if (missing_bytes == 0) {
    missing_bytes = number_after(message, "missing: ");
  }
}

extern "C" int DebugVsnprintf(char *buffer, size_t size, const char *format, va_list values) {
  return format_text(buffer, size, format, values);
}

/* Newlib's raises a signal, which wants a heap. A trap is reported with its place by the fault handler. */
extern "C" void abort(void) { __builtin_trap(); }
