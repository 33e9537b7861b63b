/* SPDX-License-Identifier: Apache-2.0 */
/* What the plain and the optimised CONV_2D share: the operator as it was read and checked, and where to read
 * rows of the input. */
#ifndef RT_KERNELS_CONV_COMMON_H
#define RT_KERNELS_CONV_COMMON_H

#include "../rt_node.h"
#include "../rt_window.h"

typedef struct {
  uint32_t input, filter, bias, output, scratch;
  int32_t batches, in_channels, out_channels;
  rt_window rows, columns;
  int32_t input_offset, output_offset;
  rt_range range;
  bool gains;          /* the factors have become gains; this and the next: never for the plain kernel */
  bool plain;          /* so small that the plain kernel is the faster one */
  rt_factor factors[]; /* one per output channel */
} rt_conv_state;

/* Read and check the operator. *kept is what invoke gets, complete, or NULL while only counting; *state has
 * the same in either case, but for the factors. Asks for no memory beyond that. */
bool rt_conv_read(rt_node *node, rt_conv_state *state, rt_conv_state **kept);

/* Offer to write the output onto the input. A 1x1 window needs pixel_bytes for that, which are the kernel's
 * own affair; any other a ring of the input's last rows, so that the rows below still find what the rows
 * above have overwritten. */
void rt_conv_offer(rt_node *node, const rt_conv_state *state, uint32_t pixel_bytes);

/* What it asks for, if the window is not 1x1: a multiple of four. */
uint32_t rt_conv_offer_bytes(const rt_conv_state *state);

static inline bool rt_conv_is_pointwise(const rt_conv_state *state) {
  return state->rows.filter == 1 && state->columns.filter == 1;
}

/* Where one image's rows are read: in the input or, once the output may have reached them, in the ring. */
typedef struct {
  const int8_t *image;
  int8_t *ring; /* NULL if the output lies elsewhere */
  int32_t capacity, saved, row_bytes;
} rt_conv_rows;

/* ring: memory for an operator in place, NULL for another. */
rt_conv_rows rt_conv_rows_of(const rt_conv_state *state, const int8_t *image, int8_t *ring);

/* To be called with every row of the output before it reads its first pixel. */
void rt_conv_rows_save(rt_conv_rows *rows, int32_t output_row);

static inline const int8_t *rt_conv_row(const rt_conv_rows *rows, int32_t row) {
  if (rows->ring == NULL || row >= rows->saved) {
    return rows->image + row * rows->row_bytes;
  }
  return rows->ring + row % rows->capacity * rows->row_bytes;
}

#endif
