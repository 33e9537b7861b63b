/* SPDX-License-Identifier: Apache-2.0 */
/* Working memory that costs nothing: the holes that a finished plan leaves. */
#ifndef RT_STRETCH_H
#define RT_STRETCH_H

#include "rt_arena.h"

/* Move and enlarge each operator's planned scratch memory to the largest hole there is while that operator
 * runs, below the plan's highest byte. So a kernel that computes more at once with more memory asks for the
 * least it can work with and looks in invoke how many bytes it got (rt_model_buffer_bytes). */
void rt_stretch(rt_model *model);

#endif
