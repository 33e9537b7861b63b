/* SPDX-License-Identifier: Apache-2.0 */
/* Greedy: one buffer after the other, each at the lowest offset that is free for all its life. What differs
 * is the order; several are tried and the best plan is kept. By size is "greedy by size" of Y. Pisarchyk and
 * J. Lee, "Efficient Memory Management for Deep Neural Net Inference", arXiv:2001.03288, section 5.2.
 *
 * Every plan can be had this way, an optimal one too: placed in the order of its offsets, no buffer comes to
 * lie higher than it lay. So the host, which has time to search, hands over an order and no offsets, and
 * there is nothing in it that could be wrong.
 *
 * Works in place, needs no memory of its own, and does not depend on the size of the arena. */
#include "rt_plan.h"

#include "rt_share.h"

typedef enum { BY_SIZE, BY_LIFE, BY_AREA, BY_START, GREEDY_ORDERS, BY_HINT = GREEDY_ORDERS } order;

/* A buffer that still wants a place: no constant, no alias, used at all. */
static bool is_wanted(const rt_buffer *buffer) {
  return buffer->place == RT_UNPLACED && buffer->first != RT_NEVER && buffer->bytes > 0;
}

static uint32_t rank_of(const rt_buffer *buffer, order by) {
  const uint32_t life = buffer->last - buffer->first + 1U, steps = rt_align(buffer->bytes) / RT_ALIGNMENT;
  switch (by) {
  case BY_LIFE:
    return life;
  case BY_AREA:
    return steps > UINT32_MAX / life ? UINT32_MAX : steps * life;
  case BY_START:
    return (uint32_t)UINT16_MAX - buffer->first;
  default:
    return steps;
  }
}

/* The wanted buffer of the highest rank, then of the largest size. */
static uint32_t next_of(const rt_buffer *buffers, uint32_t count, order by) {
  uint32_t best = RT_NONE, best_rank = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (!is_wanted(&buffers[i])) {
      continue;
    }
    const uint32_t rank = rank_of(&buffers[i], by);
    if (best == RT_NONE || rank > best_rank ||
        (rank == best_rank && buffers[i].bytes > buffers[best].bytes)) {
      best = i;
      best_rank = rank;
    }
  }
  return best;
}

/* Where a buffer ends that is placed, lives at the same time as `one` at `at`, and overlaps it; 0 if none. */
static uint32_t find_conflict(const rt_buffer *buffers, uint32_t count, const rt_buffer *one, uint32_t at) {
  for (uint32_t i = 0; i < count; ++i) {
    const rt_buffer *other = &buffers[i];
    const rt_buffer *owner = other->place == RT_ALIAS ? &buffers[other->at] : other;
    const uint32_t end = owner->at + rt_align(other->bytes);
    if (owner->place == RT_IN_ARENA && one->first <= other->last && other->first <= one->last &&
        other->first != RT_NEVER && at < end && owner->at < at + rt_align(one->bytes)) {
      return end;
    }
  }
  return 0;
}

/* The same for a buffer and all that share its bytes. */
static uint32_t find_conflict_of_group(const rt_buffer *buffers, uint32_t count, uint32_t owner,
                                       uint32_t at) {
  for (uint32_t i = 0; i < count; ++i) {
    if (i == owner || (buffers[i].place == RT_ALIAS && buffers[i].at == owner)) {
      const uint32_t end = find_conflict(buffers, count, &buffers[i], at);
      if (end != 0) {
        return end;
      }
    }
  }
  return 0;
}

static bool place(rt_buffer *buffers, uint32_t count, uint32_t index, uint32_t *top) {
  rt_buffer *one = &buffers[index];
  uint32_t at = 0, conflict_end;
  while ((conflict_end = find_conflict_of_group(buffers, count, index, at)) != 0) {
    at = conflict_end;
    if (at > RT_MAX_PLACE - rt_align(one->bytes)) {
      return false;
    }
  }
  one->at = at & RT_MAX_PLACE;
  one->place = RT_IN_ARENA;
  const uint32_t end = at + rt_align(one->bytes);
  *top = end > *top ? end : *top;
  return true;
}

/* Place the first `count` buffers anew. Gives where the highest of them ends; RT_NONE if beyond all offsets.
 */
static uint32_t place_all(rt_model *model, uint32_t count, order by) {
  rt_buffer *buffers = model->buffers;
  uint32_t top = 0, next;
  for (uint32_t i = 0; i < model->tensors.count + model->operators.count; ++i) {
    if (buffers[i].place == RT_IN_ARENA) {
      buffers[i].place = RT_UNPLACED;
    }
  }
  for (uint32_t i = 0; by == BY_HINT && i < model->order_count; ++i) {
    next = model->order[i];
    if (next < count && is_wanted(&buffers[next]) && !place(buffers, count, next, &top)) {
      return RT_NONE;
    }
  }
  while ((next = next_of(buffers, count, by)) != RT_NONE) {
    if (!place(buffers, count, next, &top)) {
      return RT_NONE;
    }
  }
  return top;
}

/* Leaves the buffers placed by the best order. */
static uint32_t place_best(rt_model *model, uint32_t count, order orders, order *best) {
  const uint32_t bound = rt_share_bound(model, count);
  uint32_t least = RT_NONE;
  for (order by = BY_SIZE; by < orders && least > bound; ++by) {
    const uint32_t top = place_all(model, count, by);
    if (top < least) {
      least = top;
      *best = by;
    }
  }
  return least == RT_NONE ? least : place_all(model, count, *best);
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

/* Once without scratch memory, only to know what that adds: it may well lie below tensors. */
bool rt_plan(rt_model *model) {
  const uint32_t count = model->tensors.count + model->operators.count;
  const order orders = model->order_count > 0 ? BY_HINT + 1 : GREEDY_ORDERS;
  order best = BY_SIZE;
  rt_share(model);
  model->bound_bytes = rt_share_bound(model, count);
  const uint32_t tensors = place_best(model, model->tensors.count, orders, &best);
  const uint32_t top = place_best(model, count, orders, &best);
  if (top == RT_NONE) {
    return false;
  }
  place_aliases(model->buffers, count);
  model->plan = best == BY_HINT ? "offline" : "greedy";
  /* A greedy plan of more buffers may by chance be the tighter one. */
  model->tensor_bytes = top < tensors ? top : tensors;
  model->scratch_bytes = top - model->tensor_bytes;
  return true;
}
