/* SPDX-License-Identifier: Apache-2.0 */
/* The sliding window of convolutions and pools, one spatial dimension at a time. */
#ifndef RT_WINDOW_H
#define RT_WINDOW_H

#include "rt_node.h"

typedef struct {
  int32_t input, output; /* sizes of this dimension */
  int32_t filter, stride, dilation;
  int32_t pad; /* before the first element; what is behind the last follows from it */
} rt_window;

/* Half-open range of filter positions. */
typedef struct {
  int32_t first, end;
} rt_taps;

/* Compute output and pad; padding is TFLite's SAME or VALID. False if a size is out of range. */
bool rt_window_set(rt_window *window, int32_t padding);

/* The fields of an operator's options that describe its window. */
typedef struct {
  uint32_t padding, stride_h, stride_w, dilation_h, dilation_w;
} rt_window_fields;

/* Both dimensions of a convolution: the input's and the filter's are 1 (height) and 2 (width) of 4. Writes
 * the error if they do not fit each other, or if an offset in the input might not fit 32 bits. */
bool rt_window_read(rt_node *node, const rt_window_fields *fields, const rt_tensor *input,
                    const rt_tensor *filter, rt_window *rows, rt_window *columns);

/* Input position under the filter's first tap; may be negative. */
static inline int32_t rt_window_origin(const rt_window *window, int32_t output) {
  return output * window->stride - window->pad;
}

/* The taps that lie inside the input. */
static inline rt_taps rt_window_taps(const rt_window *window, int32_t output) {
  const int32_t origin = rt_window_origin(window, output);
  const int32_t remaining = window->input - origin; /* positive: SAME pads less than the filter covers */
  rt_taps taps = {0, window->filter};
  if (origin < 0) {
    taps.first = (-origin + window->dilation - 1) / window->dilation;
  }
  if (remaining < (window->filter - 1) * window->dilation + 1) {
    taps.end = (remaining + window->dilation - 1) / window->dilation;
  }
  return taps;
}

#endif
