/* SPDX-License-Identifier: Apache-2.0 */
/* Greedy by size: the largest buffer first, each at the lowest offset that is free for all its life.
 * (Y. Pisarchyk, J. Lee, "Efficient Memory Management for Deep Neural Net Inference", arXiv:2001.03288,
 * section 5.2: within a few per cent of the lower bound on convolutional networks.) Works in place, needs no
 * memory of its own; cubic in the number of buffers, which is some tens. */
#include "rt_plan.h"

static uint32_t buffer_count(const rt_model *model) { return model->tensors.count + model->operators.count; }

/* Let every alias name the buffer that has the bytes in the end, and that buffer live as long as they are
 * read. Ends, because an operator only reads what others wrote before. */
static void resolve_aliases(rt_buffer *buffers, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t owner = i;
    while (buffers[owner].place == RT_ALIAS) {
      owner = buffers[owner].at;
    }
    if (owner != i) {
      buffers[i].at = owner & RT_MAX_PLACE;
      if (buffers[owner].last < buffers[i].last) {
        buffers[owner].last = buffers[i].last;
      }
    }
  }
}

static void place_aliases(rt_buffer *buffers, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    if (buffers[i].place == RT_ALIAS) {
      const rt_buffer *owner = &buffers[buffers[i].at];
      buffers[i].place = owner->place;
      buffers[i].at = owner->at;
    }
  }
}

static uint32_t largest_unplaced(const rt_buffer *buffers, uint32_t count) {
  uint32_t best = RT_NONE;
  for (uint32_t i = 0; i < count; ++i) {
    const bool wanted = buffers[i].place == RT_UNPLACED && buffers[i].first != RT_NONE;
    if (wanted && (best == RT_NONE || buffers[i].bytes > buffers[best].bytes)) {
      best = i;
    }
  }
  return best;
}

/* A placed buffer that lives at the same time and overlaps [at, at + bytes), or NULL. */
static const rt_buffer *find_conflict(const rt_buffer *buffers, uint32_t count, const rt_buffer *one,
                                      uint32_t at) {
  for (uint32_t i = 0; i < count; ++i) {
    const rt_buffer *other = &buffers[i];
    const bool meet = one->first <= other->last && other->first <= one->last;
    if (other->place == RT_IN_ARENA && meet && at < other->at + rt_align(other->bytes) &&
        other->at < at + rt_align(one->bytes)) {
      return other;
    }
  }
  return NULL;
}

static bool place(rt_buffer *buffers, uint32_t count, rt_buffer *one) {
  uint32_t at = 0;
  const rt_buffer *conflict;
  while ((conflict = find_conflict(buffers, count, one, at)) != NULL) {
    at = conflict->at + rt_align(conflict->bytes);
    if (at > RT_MAX_PLACE - rt_align(one->bytes)) {
      return false;
    }
  }
  one->at = at & RT_MAX_PLACE;
  one->place = RT_IN_ARENA;
  return true;
}

/* Scratch counts only what it adds on top of the tensors: the two add up to the planned part of the arena. */
static void measure(rt_model *model, uint32_t count) {
  uint32_t all = 0, tensors = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const rt_buffer *buffer = &model->buffers[i];
    const uint32_t end = buffer->at + rt_align(buffer->bytes);
    if (buffer->place == RT_IN_ARENA) {
      all = end > all ? end : all;
      tensors = i < model->tensors.count && end > tensors ? end : tensors;
    }
  }
  model->tensor_bytes = tensors;
  model->scratch_bytes = all - tensors;
}

bool rt_plan(rt_model *model) {
  rt_buffer *buffers = model->buffers;
  const uint32_t count = buffer_count(model);
  uint32_t next;
  resolve_aliases(buffers, count);
  while ((next = largest_unplaced(buffers, count)) != RT_NONE) {
    if (!place(buffers, count, &buffers[next])) {
      return false;
    }
  }
  place_aliases(buffers, count);
  measure(model, count);
  return true;
}
