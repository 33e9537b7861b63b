/* SPDX-License-Identifier: Apache-2.0 */
/* Lists a model's buffers for the host, which searches a better order to place them in. Their sizes and lives
 * are the device's: nothing in them depends on the width of a pointer. */
#include "../runtime/rt_model.h"
#include "../runtime/rt_plan.h"
#include "../runtime/rt_share.h"

typedef struct {
  uint32_t bytes, at, owner;
  uint32_t first, last; /* RT_NEVER, 0 if unused */
  uint32_t in_arena;
} rt_listed;

/* Fill list[0..capacity). Gives the number of buffers; 0 if the model cannot be opened. */
uint32_t rt_list_buffers(const uint8_t *file, size_t size, uint8_t *arena, size_t arena_bytes,
                         const uint16_t *order, uint32_t order_count, rt_listed *list, uint32_t capacity) {
  rt_model model = {.order = order, .order_count = order_count};
  runtime_error error;
  if (!rt_model_prepare(&model, file, size, arena, arena_bytes, &error) ||
      model.kept_bytes > model.arena_bytes) {
    return 0;
  }
  const uint32_t count = model.tensors.count + model.operators.count;
  rt_share(&model);
  for (uint32_t i = 0; i < count && i < capacity; ++i) {
    const rt_buffer *buffer = &model.buffers[i];
    list[i] = (rt_listed){.bytes = rt_align(buffer->bytes),
                          .owner = rt_share_owner(model.buffers, i),
                          .first = buffer->first,
                          .last = buffer->last};
  }
  const bool planned = rt_plan(&model); /* what was decided about sharing is decided the same way again */
  for (uint32_t i = 0; i < count && i < capacity; ++i) {
    list[i].at = model.buffers[i].at;
    list[i].in_arena = model.buffers[i].place == RT_IN_ARENA;
  }
  return planned ? count : 0;
}
