/* SPDX-License-Identifier: Apache-2.0 */
/* What the plain and the optimised MEAN share. */
#ifndef RT_KERNELS_MEAN_H
#define RT_KERNELS_MEAN_H

#include "../rt_node.h"

typedef struct {
  uint32_t input, output, sums;
  int32_t dims[RT_MAX_RANK];  /* of the input, padded with ones in front */
  int32_t steps[RT_MAX_RANK]; /* from index to index in the output; 0 along a reduced axis */
  uint32_t outputs;
  int32_t input_offset; /* for all elements that make one output */
  int32_t output_offset;
  rt_factor factor;
} rt_mean_state;

#endif
