/* SPDX-License-Identifier: Apache-2.0 */
#include "format.h"

#include <cstring>

namespace {

class Writer {
public:
  Writer(char *out, size_t size) : out_(out), size_(size) {}

  void put(char c) {
    if (count_ + 1 < size_) {
      out_[count_++] = c;
    }
  }

  void text(const char *text) {
    for (text = text == nullptr ? "(null)" : text; *text != 0; ++text) {
      put(*text);
    }
  }

  void number(unsigned long value, unsigned base) {
    char digits[20];
    unsigned count = 0;
    do {
      digits[count++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    while (count > 0) {
      put(digits[--count]);
    }
  }

  int end() {
    if (size_ > 0) {
      out_[count_] = 0;
    }
    return static_cast<int>(count_);
  }

private:
  char *out_;
  size_t size_;
  size_t count_ = 0;
};

} // namespace

int format_text(char *out, size_t size, const char *format, va_list values) {
  Writer writer(out, size);
  for (; *format != 0; ++format) {
    if (*format != '%') {
      writer.put(*format);
      continue;
    }
    do { /* int, long, size_t: all of 32 bits here */
      ++format;
    } while (*format == 'h' || *format == 'l' || *format == 'z');
    switch (*format) {
    case 0:
      return writer.end();
    case '%':
      writer.put('%');
      break;
    case 's':
      writer.text(va_arg(values, const char *));
      break;
    case 'c':
      writer.put(static_cast<char>(va_arg(values, int)));
      break;
    case 'd':
    case 'i': {
      const int value = va_arg(values, int);
      if (value < 0) {
        writer.put('-');
      }
      writer.number(value < 0 ? 0ul - static_cast<unsigned long>(value) : static_cast<unsigned long>(value),
                    10);
      break;
    }
    case 'u':
      writer.number(va_arg(values, unsigned), 10);
      break;
    case 'x':
    case 'p':
      writer.number(va_arg(values, unsigned), 16);
      break;
    case 'f':
    case 'g':
    case 'e':
      (void)va_arg(values, double); /* the values after it stay in step */
      writer.put('?');
      break;
    default:
      writer.put('?');
    }
  }
  return writer.end();
}

void format_append(char *out, size_t size, const char *text) {
  const size_t used = std::strlen(out);
  Writer writer(out + used, size - used);
  writer.text(text);
  (void)writer.end();
}
