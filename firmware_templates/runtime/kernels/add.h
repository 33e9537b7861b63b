/* SPDX-License-Identifier: Apache-2.0 */
/* What the plain and the optimised ADD share. */
#ifndef RT_KERNELS_ADD_H
#define RT_KERNELS_ADD_H

#include "../rt_node.h"

enum { RT_ADD_HEADROOM_BITS = 20 };

typedef struct {
  uint32_t inputs[2], output;
  bool same_shape;
  int32_t dims[RT_MAX_RANK];     /* of the output, padded with ones in front */
  int32_t steps[2][RT_MAX_RANK]; /* elements from one index to the next; 0 where an input is broadcast */
  int32_t input_offsets[2], output_offset;
  rt_factor input_factors[2], output_factor;
  rt_range range;
} rt_add_state;

#endif
