/* SPDX-License-Identifier: Apache-2.0 */
#include "rt_window.h"

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

bool rt_window_read(rt_node *node, const rt_window_fields *fields, const rt_tensor *input,
                    const rt_tensor *filter, rt_window *rows, rt_window *columns) {
  const int32_t padding = rt_node_option_u8(node, fields->padding);
  *rows = (rt_window){.input = input->dims[1],
                      .filter = filter->dims[1],
                      .stride = rt_node_option_i32(node, fields->stride_h, 0),
                      .dilation = rt_node_option_i32(node, fields->dilation_h, 1)};
  *columns = (rt_window){.input = input->dims[2],
                         .filter = filter->dims[2],
                         .stride = rt_node_option_i32(node, fields->stride_w, 0),
                         .dilation = rt_node_option_i32(node, fields->dilation_w, 1)};
  if ((int64_t)rows->dilation * input->dims[2] * input->dims[3] > RT_MAX_ELEMENTS ||
      (int64_t)columns->dilation * input->dims[3] > RT_MAX_ELEMENTS) {
    return rt_node_unsupported(node, "a gigantic dilation");
  }
  return (rt_window_set(rows, padding) && rt_window_set(columns, padding)) ||
         rt_node_broken(node, "its filter, stride or dilation does not fit the input");
}
