/* SPDX-License-Identifier: Apache-2.0 */
/* What the plain and the optimised FULLY_CONNECTED share: the operator as it was read and checked. */
#ifndef RT_KERNELS_FULLY_CONNECTED_COMMON_H
#define RT_KERNELS_FULLY_CONNECTED_COMMON_H

#include "../rt_node.h"

typedef struct {
  uint32_t input, weights, bias, output, scratch;
  int32_t batches, depth, units;
  int32_t input_offset, output_offset;
  rt_range range;
  uint16_t factor_step; /* 1: a factor for each unit, 0: one for all */
  uint8_t pixels; /* batches at once, 0 if unwidened; this and the next are of no use to the plain kernel */
  bool gains;     /* the factors have become gains */
  rt_factor factors[];
} rt_fully_connected_state;

/* Read and check the operator. *kept is what invoke gets, complete, or NULL while only counting; *state has
 * the same in either case, but for the factors. Asks for no memory beyond that. */
bool rt_fully_connected_read(rt_node *node, rt_fully_connected_state *state, rt_fully_connected_state **kept);

/* How many factors it has. */
static inline uint32_t rt_fully_connected_factors(const rt_fully_connected_state *state) {
  return state->factor_step != 0 ? (uint32_t)state->units : 1;
}

#endif
