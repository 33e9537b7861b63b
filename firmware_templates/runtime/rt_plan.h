/* SPDX-License-Identifier: Apache-2.0 */
/* Where in the arena each tensor and each scratch memory lives. */
#ifndef RT_PLAN_H
#define RT_PLAN_H

#include "rt_arena.h"

/* Give every used buffer its place. Buffers whose lives meet never overlap. Returns false if the places would
 * not even fit the 30 bits of an offset. Sets the model's tensor_bytes and scratch_bytes. */
bool rt_plan(rt_model *model);

#endif
