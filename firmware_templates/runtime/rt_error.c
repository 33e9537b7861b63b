/* SPDX-License-Identifier: Apache-2.0 */
#include "rt_error.h"

#include <stdarg.h>
#include <string.h>

/* Text that is cut off, never overrun. */
typedef struct {
  char *text;
  size_t capacity, length;
} rt_line;

static void line_append(rt_line *line, const char *text) {
  while (*text != '\0' && line->length + 1 < line->capacity) {
    line->text[line->length++] = *text++;
  }
  line->text[line->length] = '\0';
}

static void line_append_unsigned(rt_line *line, uint32_t value) {
  char digits[11];
  char *first = &digits[sizeof digits - 1];
  *first = '\0';
  do {
    *--first = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  line_append(line, first);
}

bool rt_error_set(runtime_error *error, runtime_status status, int32_t operator_index, const char *format,
                  ...) {
  rt_line line = {error->text, sizeof error->text, 0};
  va_list arguments;
  error->status = status;
  error->operator_index = operator_index;
  va_start(arguments, format);
  for (const char *c = format; *c != '\0'; ++c) {
    if (c[0] == '%' && c[1] == 's') {
      line_append(&line, va_arg(arguments, const char *));
      ++c;
    } else if (c[0] == '%' && c[1] == 'u') {
      line_append_unsigned(&line, va_arg(arguments, uint32_t));
      ++c;
    } else {
      line_append(&line, (const char[]){*c, '\0'});
    }
  }
  va_end(arguments);
  return false;
}

void rt_error_clear(runtime_error *error) {
  memset(error, 0, sizeof *error);
  error->operator_index = RT_NO_OPERATOR;
}
