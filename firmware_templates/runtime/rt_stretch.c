/* SPDX-License-Identifier: Apache-2.0 */
#include "rt_stretch.h"

/* Whether a buffer has its place in the arena while an operator runs. */
static bool is_in_use(const rt_buffer *buffer, uint32_t at) {
  return buffer->place == RT_IN_ARENA && buffer->bytes > 0 && buffer->first <= at && at <= buffer->last;
}

/* Bytes from an offset on that no buffer but `scratch` takes while an operator runs. */
static uint32_t free_bytes(const rt_model *model, const rt_buffer *scratch, uint32_t operator_index,
                           uint32_t from) {
  const uint32_t count = model->tensors.count + model->operators.count;
  uint32_t end = model->tensor_bytes + model->scratch_bytes;
  for (uint32_t i = 0; i < count; ++i) {
    const rt_buffer *other = &model->buffers[i];
    if (other != scratch && is_in_use(other, operator_index) && other->at + rt_align(other->bytes) > from) {
      end = other->at < end ? other->at : end;
    }
  }
  return end > from ? end - from : 0;
}

static void stretch(const rt_model *model, rt_buffer *scratch, uint32_t operator_index) {
  const uint32_t count = model->tensors.count + model->operators.count;
  uint32_t best = 0, most = free_bytes(model, scratch, operator_index, 0);
  for (uint32_t i = 0; i < count; ++i) {
    const rt_buffer *other = &model->buffers[i];
    if (other != scratch && is_in_use(other, operator_index)) {
      const uint32_t from = other->at + rt_align(other->bytes);
      const uint32_t bytes = free_bytes(model, scratch, operator_index, from);
      if (bytes > most) {
        best = from;
        most = bytes;
      }
    }
  }
  scratch->at = best & RT_MAX_PLACE;
  scratch->bytes = most;
}

void rt_stretch(rt_model *model) {
  for (uint32_t i = 0; i < model->operators.count; ++i) {
    rt_buffer *scratch = &model->buffers[model->tensors.count + i];
    if (is_in_use(scratch, i)) {
      stretch(model, scratch, i);
    }
  }
}
