/* SPDX-License-Identifier: Apache-2.0 */
/* The patches of a convolution's pixels, one pixel after the other, widened (widen_dsp.h). */
#ifndef RT_KERNELS_CONV_GATHER_DSP_H
#define RT_KERNELS_CONV_GATHER_DSP_H

#include "conv_common.h"

typedef struct rt_gather {
  const rt_conv_state *state;
  rt_conv_rows rows;
  int8_t *staging; /* rt_gather_bytes of memory */
  int32_t y, x;    /* the next pixel of the output */
  int32_t at;      /* the window's first byte in a row of the input */
  rt_taps down;    /* of row y */
  rt_taps inside;  /* where, along a row, the whole window lies in the input */
  void (*way)(const struct rt_gather *, uint32_t *words, uint32_t step); /* to gather one such pixel */
  uint32_t row_bytes;
  bool whole_rows; /* a row of the window is a multiple of four bytes */
} rt_gather;

/* Memory in which a patch is put together if its rows are no multiple of four bytes; a multiple of four. */
uint32_t rt_gather_bytes(const rt_conv_state *state);

/* From the first pixel of an image on. ring as in rt_conv_rows_of. */
rt_gather rt_gather_start(const rt_conv_state *state, const int8_t *image, int8_t *staging, int8_t *ring);

/* The next pixels; a row of the output goes on in the next. */
void rt_gather_pixels(rt_gather *from, uint32_t pixels, uint32_t *words);

static inline uint32_t rt_gather_taps(const rt_conv_state *state) {
  return (uint32_t)(state->rows.filter * state->columns.filter * state->in_channels);
}

#endif
