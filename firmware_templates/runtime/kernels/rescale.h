/* SPDX-License-Identifier: Apache-2.0 */
/* Element by element: another scale, zero point and range. QUANTIZE and RELU are this and nothing else. */
#ifndef RT_KERNELS_RESCALE_H
#define RT_KERNELS_RESCALE_H

#include "../rt_node.h"

typedef struct {
  uint32_t input, output;
  int32_t elements;
  int32_t input_offset, output_offset;
  rt_factor factor;
  rt_range range;
} rt_rescale_state;

/* Read the tensors and all of the state but factor and range. */
bool rt_rescale_read(rt_node *node, rt_tensor *input, rt_tensor *output, rt_rescale_state *state);
void rt_rescale_keep(rt_node *node, const rt_rescale_state *state);
void rt_rescale_invoke(const rt_model *model, const rt_rescale_state *state);

#endif
