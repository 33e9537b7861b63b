/* SPDX-License-Identifier: Apache-2.0 */
/* What the optimised CONV_2D takes of the plain one. */
#ifndef RT_KERNELS_CONV_H
#define RT_KERNELS_CONV_H

#include "conv_common.h"

/* The plain kernel where the factors have become gains. */
void rt_conv_with_gains(const rt_model *model, const rt_conv_state *state);

#endif
