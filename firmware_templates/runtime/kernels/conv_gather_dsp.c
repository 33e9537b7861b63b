/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_gather_dsp.h"

#include <string.h>

#include "widen_dsp.h"

#if RT_DSP_KERNELS

/* A row of taps lies consecutive in the input. */
static bool is_dense(const rt_conv_state *state) {
  return state->columns.dilation == 1 || state->columns.filter == 1;
}

uint32_t rt_gather_bytes(const rt_conv_state *state) {
  return rt_conv_is_pointwise(state) || state->in_channels % 4 == 0 ? 0 : (rt_gather_taps(state) + 3) & ~3U;
}

/* The positions at which the whole window lies in the input. */
static rt_taps find_inside(const rt_window *window) {
  const int32_t last = window->input - ((window->filter - 1) * window->dilation + 1) + window->pad;
  return (rt_taps){.first = (window->pad + window->stride - 1) / window->stride,
                   .end = last < 0 ? 0 : last / window->stride + 1};
}

rt_gather rt_gather_start(const rt_conv_state *state, const int8_t *image, int8_t *staging, int8_t *ring) {
  const int32_t row_bytes = state->columns.filter * state->in_channels;
  return (rt_gather){.state = state,
                     .rows = rt_conv_rows_of(state, image, ring),
                     .staging = staging,
                     .inside = find_inside(&state->columns),
                     .row_bytes = (uint32_t)row_bytes,
                     .whole_rows = row_bytes % 4 == 0 && is_dense(state)};
}

/* What one pixel sees of a row. */
typedef struct {
  int32_t at;                   /* its first byte in a row of the input */
  uint32_t left, inside, right; /* bytes outside, inside, outside of the input */
} gather_row;

static gather_row find_row(const rt_gather *from) {
  const rt_window *columns = &from->state->columns;
  const int32_t channels = from->state->in_channels;
  if (from->x >= from->inside.first && from->x < from->inside.end) {
    return (gather_row){.at = from->at, .inside = from->row_bytes};
  }
  const rt_taps across = rt_window_taps(columns, from->x);
  return (gather_row){
      .at = (rt_window_origin(columns, from->x) + across.first * columns->dilation) * channels,
      .left = (uint32_t)(across.first * channels),
      .inside = (uint32_t)((across.end - across.first) * channels),
      .right = (uint32_t)((columns->filter - across.end) * channels),
  };
}

static uint32_t *widen_taps(const rt_conv_state *state, const int8_t *inputs, uint32_t bytes,
                            uint32_t offsets, uint32_t *words, uint32_t step) {
  const uint32_t channels = (uint32_t)state->in_channels;
  for (; bytes > 0; bytes -= channels) {
    words = rt_widen_groups(inputs, channels / 4, offsets, words, step);
    inputs += state->columns.dilation * state->in_channels;
  }
  return words;
}

/* Rows of whole groups, widened from where they lie. */
static void gather_groups(const rt_gather *from, gather_row row, uint32_t *words, uint32_t step) {
  const rt_conv_state *state = from->state;
  const uint32_t offsets = rt_widen_offsets(state->input_offset);
  const uint32_t row_groups = (row.left + row.inside + row.right) / 4;
  const bool dense = is_dense(state), clipped = row.left + row.right > 0;
  int32_t y = rt_window_origin(&state->rows, from->y) + from->down.first * state->rows.dilation;
  words = rt_widen_zeros((uint32_t)from->down.first * row_groups, words, step);
  for (int32_t tap = from->down.first; tap < from->down.end; ++tap) {
    const int8_t *inputs = rt_conv_row(&from->rows, y) + row.at;
    if (clipped) {
      words = rt_widen_zeros(row.left / 4, words, step);
    }
    words = dense ? rt_widen_groups(inputs, row.inside / 4, offsets, words, step)
                  : widen_taps(state, inputs, row.inside, offsets, words, step);
    if (clipped) {
      words = rt_widen_zeros(row.right / 4, words, step);
    }
    y += state->rows.dilation;
  }
  rt_widen_zeros((uint32_t)(state->rows.filter - from->down.end) * row_groups, words, step);
}

/* The last word may overlap the one before it. */
static inline int8_t *copy_bytes(int8_t *to, const int8_t *from, uint32_t count) {
  if (count < 4) {
    for (; count > 0; --count) {
      *to++ = *from++;
    }
    return to;
  }
  int8_t *const end = to + count;
  const uint32_t last = dsp_read(from + count - 4);
  for (; to < end - 4; to += 4) {
    dsp_write(to, dsp_read(from));
    from += 4;
  }
  dsp_write(end - 4, last);
  return end;
}

static int8_t *put_bytes(int8_t *to, int32_t value, uint32_t count) {
  if (count > 0) {
    memset(to, value, count);
  }
  return to + count;
}

static int8_t *copy_taps(const rt_conv_state *state, int8_t *to, const int8_t *inputs, uint32_t bytes) {
  const uint32_t channels = (uint32_t)state->in_channels;
  for (; bytes > 0; bytes -= channels) {
    to = copy_bytes(to, inputs, channels);
    inputs += state->columns.dilation * state->in_channels;
  }
  return to;
}

/* Rows of any number of bytes are copied together first; outside of the input is its zero point. */
static void gather_bytes(const rt_gather *from, gather_row row, uint32_t *words, uint32_t step) {
  const rt_conv_state *state = from->state;
  const uint32_t row_bytes = row.left + row.inside + row.right;
  const int32_t zero = -state->input_offset;
  const bool dense = is_dense(state);
  int32_t y = rt_window_origin(&state->rows, from->y) + from->down.first * state->rows.dilation;
  int8_t *to = put_bytes(from->staging, zero, (uint32_t)from->down.first * row_bytes);
  for (int32_t tap = from->down.first; tap < from->down.end; ++tap) {
    const int8_t *inputs = rt_conv_row(&from->rows, y) + row.at;
    to = put_bytes(to, zero, row.left);
    to = dense ? copy_bytes(to, inputs, row.inside) : copy_taps(state, to, inputs, row.inside);
    to = put_bytes(to, zero, row.right);
    y += state->rows.dilation;
  }
  put_bytes(to, zero, (uint32_t)(state->rows.filter - from->down.end) * row_bytes);
  rt_widen_patch(from->staging, rt_gather_taps(state), rt_widen_offsets(state->input_offset), words, step);
}

static void gather_point(const rt_gather *from, uint32_t *words, uint32_t step) {
  const rt_conv_state *state = from->state;
  const int8_t *inputs = rt_conv_row(&from->rows, from->y * state->rows.stride) + from->at;
  rt_widen_patch(inputs, (uint32_t)state->in_channels, rt_widen_offsets(state->input_offset), words, step);
}

/* Rows of a few bytes each, consecutive in `to`. */
static void copy_rows(int8_t *to, const int8_t *from, uint32_t bytes, int32_t rows, int32_t step) {
  for (; bytes >= 4 && rows > 0; --rows) {
    to = copy_bytes(to, from, bytes);
    from += step;
  }
  for (; bytes < 4 && rows > 0; --rows) {
    to[0] = from[0];
    if (bytes > 1) {
      to[1] = from[1];
    }
    if (bytes > 2) {
      to[2] = from[2];
    }
    to += bytes;
    from += step;
  }
}

/* Most pixels: nothing is outside of the input, and its rows lie where they always lay. */
static __attribute__((noinline)) void gather_inside(const rt_gather *from, uint32_t *words, uint32_t step) {
  const rt_conv_state *state = from->state;
  const int32_t rows = state->rows.filter, row_step = state->rows.dilation * from->rows.row_bytes;
  const int8_t *inputs =
      from->rows.image + rt_window_origin(&state->rows, from->y) * from->rows.row_bytes + from->at;
  const uint32_t offsets = rt_widen_offsets(state->input_offset);
  if (!from->whole_rows) {
    copy_rows(from->staging, inputs, from->row_bytes, rows, row_step);
    rt_widen_patch(from->staging, from->row_bytes * (uint32_t)rows, offsets, words, step);
    return;
  }
  for (int32_t row = 0; row < rows; ++row) {
    words = rt_widen_groups(inputs, from->row_bytes / 4, offsets, words, step);
    inputs += row_step;
  }
}

/* The same where the output is written over the input. */
static __attribute__((noinline)) void gather_moved(const rt_gather *from, uint32_t *words, uint32_t step) {
  const rt_conv_state *state = from->state;
  const uint32_t offsets = rt_widen_offsets(state->input_offset);
  int32_t y = rt_window_origin(&state->rows, from->y);
  for (int32_t row = 0; row < state->rows.filter; ++row) {
    words =
        rt_widen_groups(rt_conv_row(&from->rows, y) + from->at, from->row_bytes / 4, offsets, words, step);
    y += state->rows.dilation;
  }
}

static __attribute__((noinline)) void gather_any(const rt_gather *from, uint32_t *words, uint32_t step) {
  const gather_row row = find_row(from);
  const bool unclipped = row.left + row.right == 0;
  if (from->state->in_channels % 4 == 0 || (from->whole_rows && unclipped)) {
    gather_groups(from, row, words, step);
  } else {
    gather_bytes(from, row, words, step);
  }
}

static void start_row(rt_gather *from) {
  const rt_conv_state *state = from->state;
  from->down = rt_window_taps(&state->rows, from->y);
  from->at = rt_window_origin(&state->columns, 0) * state->in_channels;
  rt_conv_rows_save(&from->rows, from->y);
  const bool clipped = from->down.end - from->down.first < state->rows.filter;
  const bool moved = from->rows.ring != NULL;
  const bool simple = is_dense(state) && !clipped && (!moved || from->whole_rows);
  from->way = !simple ? gather_any : moved ? gather_moved : gather_inside;
}

void rt_gather_pixels(rt_gather *from, uint32_t pixels, uint32_t *words) {
  const rt_conv_state *state = from->state;
  const bool point = rt_conv_is_pointwise(state);
  for (uint32_t pixel = 0; pixel < pixels; ++pixel) {
    if (from->x == 0) {
      start_row(from);
    }
    if (point) {
      gather_point(from, words, 2 * pixels);
    } else if (from->x >= from->inside.first && from->x < from->inside.end) {
      from->way(from, words, 2 * pixels);
    } else {
      gather_any(from, words, 2 * pixels);
    }
    words += 2;
    from->at += state->columns.stride * state->in_channels;
    if (++from->x == state->columns.output) {
      from->x = 0;
      ++from->y;
    }
  }
}

#endif
