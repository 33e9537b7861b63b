/* SPDX-License-Identifier: Apache-2.0 */
/* What AVERAGE_POOL_2D and MAX_POOL_2D share: everything but the arithmetic of one window. */
#ifndef RT_KERNELS_POOL_H
#define RT_KERNELS_POOL_H

#include "../rt_node.h"
#include "../rt_window.h"

typedef struct {
  uint32_t input, output;
  int32_t batches, channels;
  rt_window rows, columns;
  rt_range range;
} rt_pool_state;

/* The inputs of one output pixel: taps of all channels, rows row_step bytes apart. Never empty. */
typedef struct {
  const int8_t *inputs;
  int32_t rows, taps, row_step;
  int32_t channels;
  rt_range range;
} rt_pool_patch;

typedef void (*rt_pool_pixel)(const rt_pool_patch *patch, int8_t *output);

bool rt_pool_prepare(rt_node *node);

/* Call pixel for each output pixel. */
void rt_pool_invoke(const rt_model *model, const rt_pool_state *state, rt_pool_pixel pixel);

#endif
