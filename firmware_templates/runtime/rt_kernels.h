/* SPDX-License-Identifier: Apache-2.0 */
/* The seam between the interpreter and its kernels: one table, in the one rt_kernels_*.c file that is linked.
 *
 * An optimised variant is another such file: it lists its own kernels where it has them and the plain ones
 * elsewhere. A kernel is chosen when the firmware is compiled, never at run time. */
#ifndef RT_KERNELS_H
#define RT_KERNELS_H

#include "rt_node.h"

typedef struct {
  enum rt_operator_code code;
  /* Check the operator, keep what invoke needs, ask for scratch. */
  bool (*prepare)(rt_node *node);
  /* Compute. state is what prepare kept. Cannot fail. */
  void (*invoke)(const rt_model *model, const void *state);
} rt_kernel;

extern const rt_kernel rt_kernels[];
extern const uint32_t rt_kernel_count;
extern const char rt_kernels_name[];

bool rt_add_prepare(rt_node *node);
void rt_add_invoke(const rt_model *model, const void *state);
void rt_add_dsp_invoke(const rt_model *model, const void *state);
bool rt_average_pool_prepare(rt_node *node);
void rt_average_pool_invoke(const rt_model *model, const void *state);
void rt_average_pool_dsp_invoke(const rt_model *model, const void *state);
bool rt_concatenation_prepare(rt_node *node);
void rt_concatenation_invoke(const rt_model *model, const void *state);
bool rt_conv_prepare(rt_node *node);
void rt_conv_invoke(const rt_model *model, const void *state);
bool rt_conv_dsp_prepare(rt_node *node);
void rt_conv_dsp_invoke(const rt_model *model, const void *state);
bool rt_depthwise_conv_prepare(rt_node *node);
void rt_depthwise_conv_invoke(const rt_model *model, const void *state);
bool rt_depthwise_conv_dsp_prepare(rt_node *node);
void rt_depthwise_conv_dsp_invoke(const rt_model *model, const void *state);
bool rt_fully_connected_prepare(rt_node *node);
void rt_fully_connected_invoke(const rt_model *model, const void *state);
bool rt_fully_connected_dsp_prepare(rt_node *node);
void rt_fully_connected_dsp_invoke(const rt_model *model, const void *state);
bool rt_max_pool_prepare(rt_node *node);
void rt_max_pool_invoke(const rt_model *model, const void *state);
void rt_max_pool_dsp_invoke(const rt_model *model, const void *state);
bool rt_mean_prepare(rt_node *node);
void rt_mean_invoke(const rt_model *model, const void *state);
void rt_mean_dsp_invoke(const rt_model *model, const void *state);
bool rt_pad_prepare(rt_node *node);
void rt_pad_invoke(const rt_model *model, const void *state);
bool rt_quantize_prepare(rt_node *node);
void rt_quantize_invoke(const rt_model *model, const void *state);
bool rt_relu_prepare(rt_node *node);
void rt_relu_invoke(const rt_model *model, const void *state);
bool rt_relu6_prepare(rt_node *node);
void rt_relu6_invoke(const rt_model *model, const void *state);
void rt_rescale_dsp_invoke(const rt_model *model, const void *state); /* QUANTIZE and RELU */
void rt_relu6_dsp_invoke(const rt_model *model, const void *state);
bool rt_reshape_prepare(rt_node *node);
void rt_reshape_invoke(const rt_model *model, const void *state);
bool rt_softmax_prepare(rt_node *node);
void rt_softmax_invoke(const rt_model *model, const void *state);

#endif
