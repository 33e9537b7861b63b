/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels for Arm's DSP extension, and the plain ones where they have nothing to add. */
#include "rt_dsp.h"
#include "rt_kernels.h"

#if RT_DSP_KERNELS

const rt_kernel rt_kernels[] = {
    {RT_ADD, rt_add_prepare, rt_add_dsp_invoke},
    {RT_AVERAGE_POOL_2D, rt_average_pool_prepare, rt_average_pool_dsp_invoke},
    {RT_CONCATENATION, rt_concatenation_prepare, rt_concatenation_invoke},
    {RT_CONV_2D, rt_conv_dsp_prepare, rt_conv_dsp_invoke},
    {RT_DEPTHWISE_CONV_2D, rt_depthwise_conv_dsp_prepare, rt_depthwise_conv_dsp_invoke},
    {RT_FULLY_CONNECTED, rt_fully_connected_dsp_prepare, rt_fully_connected_dsp_invoke},
    {RT_MAX_POOL_2D, rt_max_pool_prepare, rt_max_pool_dsp_invoke},
    {RT_MEAN, rt_mean_prepare, rt_mean_dsp_invoke},
    {RT_PAD, rt_pad_prepare, rt_pad_invoke},
    {RT_QUANTIZE, rt_quantize_prepare, rt_rescale_dsp_invoke},
    {RT_RELU, rt_relu_prepare, rt_rescale_dsp_invoke},
    {RT_RELU6, rt_relu6_prepare, rt_relu6_dsp_invoke},
    {RT_RESHAPE, rt_reshape_prepare, rt_reshape_invoke},
    {RT_SOFTMAX, rt_softmax_prepare, rt_softmax_invoke},
};
const uint32_t rt_kernel_count = sizeof rt_kernels / sizeof rt_kernels[0];
const char rt_kernels_name[] = "dsp";

#endif
