/* SPDX-License-Identifier: Apache-2.0 */
/* From a flatbuffer to a model that can be run. */
#ifndef RT_MODEL_H
#define RT_MODEL_H

#include "rt_arena.h"

/* Read and prepare all operators, place nothing yet. The model must be zero but for the hint. On failure
 * *error says why. */
bool rt_model_prepare(rt_model *model, const uint8_t *file, size_t size, uint8_t *arena, size_t arena_size,
                      runtime_error *error);

/* Read, prepare and plan. */
bool rt_model_open(rt_model *model, const uint8_t *file, size_t size, uint8_t *arena, size_t arena_size,
                   runtime_error *error);

#endif
