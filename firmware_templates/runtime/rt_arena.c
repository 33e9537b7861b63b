/* SPDX-License-Identifier: Apache-2.0 */
#include "rt_arena.h"

rt_vector rt_arena_ends(rt_model *model, uint32_t index, uint32_t field) {
  return rt_field_vector(&model->file, rt_vector_table(&model->file, model->operators, index), field, 4);
}
