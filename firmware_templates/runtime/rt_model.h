/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a model: its tables are read, its operators prepared, its tensors planned. */
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

/* Zeroed memory that lives as long as the model; NULL if the arena is too small (it is counted all the same).
 */
void *rt_model_keep(rt_model *model, uint32_t bytes);

/* Count a tensor's or a scratch memory's bytes into wanted_bytes. */
void rt_model_want(rt_model *model, uint32_t bytes);

#endif
