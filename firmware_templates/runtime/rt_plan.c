/* SPDX-License-Identifier: Apache-2.0 */
/* Greedy by size: the largest buffer first, each at the lowest offset that is free for all its life.
 * (Y. Pisarchyk, J. Lee, "Efficient Memory Management for Deep Neural Net Inference", arXiv:2001.03288,
 * section 5.2: within a few per cent of the lower bound on convolutional networks.) Works in place, needs no
 * memory of its own; cubic in the number of buffers, which is some tens. */
#include "rt_plan.h"

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

/* Place the first `count` buffers; *top is where the highest of them ends. */
static bool place_all(rt_buffer *buffers, uint32_t count, uint32_t *top) {
  uint32_t next;
  *top = 0;
  while ((next = largest_unplaced(buffers, count)) != RT_NONE) {
    if (!place(buffers, count, &buffers[next])) {
      return false;
    }
    const uint32_t end = buffers[next].at + rt_align(buffers[next].bytes);
    *top = end > *top ? end : *top;
  }
  return true;
}

/* Once without scratch memory, only to know what that adds: it may well lie below tensors. */
bool rt_plan(rt_model *model) {
  rt_buffer *buffers = model->buffers;
  const uint32_t count = model->tensors.count + model->operators.count;
  uint32_t top;
  resolve_aliases(buffers, count);
  if (!place_all(buffers, model->tensors.count, &model->tensor_bytes)) {
    return false;
  }
  for (uint32_t i = 0; i < model->tensors.count; ++i) {
    if (buffers[i].place == RT_IN_ARENA) {
      buffers[i].place = RT_UNPLACED;
    }
  }
  if (!place_all(buffers, count, &top)) {
    return false;
  }
  place_aliases(buffers, count);
  /* A greedy plan of more buffers may by chance be the tighter one. */
  model->tensor_bytes = top < model->tensor_bytes ? top : model->tensor_bytes;
  model->scratch_bytes = top - model->tensor_bytes;
  return true;
}
