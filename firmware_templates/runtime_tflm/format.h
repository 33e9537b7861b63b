/* SPDX-License-Identifier: Apache-2.0 */
/* printf without newlib's: that one wants a heap. */
#ifndef FORMAT_H
#define FORMAT_H

#include <cstdarg>
#include <cstddef>

/* As vsnprintf, for %s %c %d %i %u %x %p %% with the lengths h, l and z, without widths; another conversion
 * becomes '?'. Returns the number of characters written, the final zero not counted. */
int format_text(char *out, size_t size, const char *format, va_list values);

/* Append text to a string in a buffer of that size; what does not fit is left out. */
void format_append(char *out, size_t size, const char *text);

#endif
