/* SPDX-License-Identifier: Apache-2.0 */
/* What the plain and the optimised RELU6 share. */
#ifndef RT_KERNELS_RELU6_H
#define RT_KERNELS_RELU6_H

#include "../rt_node.h"

typedef struct {
  uint32_t input, output;
  int32_t elements;
  rt_range range;
} rt_relu6_state;

#endif
