/* SPDX-License-Identifier: Apache-2.0 */
/* What the plain and the optimised DEPTHWISE_CONV_2D share: the operator as it was read and checked. */
#ifndef RT_KERNELS_DEPTHWISE_CONV_H
#define RT_KERNELS_DEPTHWISE_CONV_H

#include "../rt_node.h"
#include "../rt_window.h"

typedef struct {
  uint32_t input, filter, bias, output, scratch;
  int32_t batches, in_channels, out_channels, multiplier;
  rt_window rows, columns;
  int32_t input_offset, output_offset;
  rt_range range;
  bool plain;          /* of no use to the plain kernel */
  rt_factor factors[]; /* one per output channel */
} rt_depthwise_state;

/* Read and check the operator. *kept is what invoke gets, complete, or NULL while only counting; *state has
 * the same in either case, but for the factors. Asks for no memory beyond that. */
bool rt_depthwise_conv_read(rt_node *node, rt_depthwise_state *state, rt_depthwise_state **kept);

/* What the plain kernel wants besides: nothing, but to write onto its input if that may be. */
void rt_depthwise_conv_offer(rt_node *node, const rt_depthwise_state *state);

/* Rows of the input that one row of the output sees, including those between dilated taps. */
static inline int32_t rt_depthwise_rows(const rt_depthwise_state *state) {
  const int32_t covered = (state->rows.filter - 1) * state->rows.dilation + 1;
  return covered < state->rows.input ? covered : state->rows.input;
}

#endif
