/* SPDX-License-Identifier: Apache-2.0 */
#include "rt_window.h"

#include "rt_schema.h"

/* Sizes as in https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2. */
bool rt_window_set(rt_window *window, int32_t padding) {
  enum { LIMIT = 1 << 15 }; /* keeps every product of two of them, and their sums, within 32 bits */
  const int32_t filter = window->filter, stride = window->stride, dilation = window->dilation;
  if (filter < 1 || filter >= LIMIT || stride < 1 || stride >= LIMIT || dilation < 1 || dilation >= LIMIT) {
    return false;
  }
  const int32_t covered = (filter - 1) * dilation + 1;
  window->pad = 0;
  if (padding == RT_PADDING_VALID) {
    window->output = window->input < covered ? 0 : (window->input - covered) / stride + 1;
  } else {
    window->output = (window->input - 1) / stride + 1;
    const int32_t missing = (window->output - 1) * stride + covered - window->input;
    window->pad = missing > 0 ? missing / 2 : 0;
  }
  return window->output > 0 && (padding == RT_PADDING_SAME || padding == RT_PADDING_VALID);
}
