/* SPDX-License-Identifier: Apache-2.0 */
/* How the runtime says why it failed: one line of text, built without printf (which would pull in kilobytes).
 */
#ifndef RT_ERROR_H
#define RT_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime_api.h"

#define RT_NO_OPERATOR (-1)

/* Fill *error. format knows %s (const char *) and %u (uint32_t). Always returns false, so that callers can
 * write `return rt_error_set(...)`. */
bool rt_error_set(runtime_error *error, runtime_status status, int32_t operator_index, const char *format,
                  ...);

void rt_error_clear(runtime_error *error);

#endif
