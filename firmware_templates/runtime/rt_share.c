/* SPDX-License-Identifier: Apache-2.0 */
#include "rt_share.h"

#include "rt_schema.h"

uint32_t rt_share_owner(const rt_buffer *buffers, uint32_t index) {
  while (buffers[index].place == RT_ALIAS) { /* ends: an operator only reads what others wrote before */
    index = buffers[index].at;
  }
  return index;
}

/* Let every alias name its owner directly. */
static void flatten(rt_buffer *buffers, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    if (buffers[i].place == RT_ALIAS) {
      buffers[i].at = rt_share_owner(buffers, i) & RT_MAX_PLACE;
    }
  }
}

static bool lives(const rt_buffer *buffer, uint32_t at) {
  return buffer->first != RT_NEVER && buffer->first <= at && at <= buffer->last;
}

/* Of several that live at once on the same bytes, the largest counts. */
static bool counts(const rt_model *model, uint32_t count, uint32_t index, uint32_t at) {
  const rt_buffer *buffers = model->buffers, *one = &buffers[index];
  const uint32_t owner = rt_share_owner(buffers, index);
  if (!lives(one, at) || buffers[owner].place == RT_IN_MODEL) {
    return false;
  }
  for (uint32_t i = 0; i < count; ++i) {
    const bool before = buffers[i].bytes > one->bytes || (buffers[i].bytes == one->bytes && i < index);
    if (before && lives(&buffers[i], at) && rt_share_owner(buffers, i) == owner) {
      return false;
    }
  }
  return true;
}

static uint32_t live_bytes(const rt_model *model, uint32_t count, uint32_t at) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (counts(model, count, i, at)) {
      sum = rt_add_capped(sum, rt_align(model->buffers[i].bytes));
    }
  }
  return sum;
}

uint32_t rt_share_bound(const rt_model *model, uint32_t count) {
  uint32_t most = 0;
  for (uint32_t at = 0; at < model->operators.count; ++at) {
    const uint32_t bytes = live_bytes(model, count, at);
    most = bytes > most ? bytes : most;
  }
  return most;
}

/* Whether an operator may overwrite the bytes of a buffer. */
static bool may_overwrite(const rt_model *model, uint32_t index, uint32_t operator_index) {
  const rt_buffer *buffers = model->buffers;
  const uint32_t owner = rt_share_owner(buffers, index);
  for (uint32_t i = 0; i < model->tensors.count; ++i) {
    const bool read_later = buffers[i].first != RT_NEVER && buffers[i].last > operator_index;
    if (read_later && rt_share_owner(buffers, i) == owner) {
      return false;
    }
  }
  return buffers[owner].place == RT_UNPLACED;
}

/* An offer that could be taken: output onto input. */
typedef struct {
  rt_buffer *output, *scratch;
  uint32_t input; /* RT_NONE if there is none */
} offer;

static offer find_offer(rt_model *model, uint32_t index) {
  const rt_vector outputs = rt_arena_tensors(model, index, RT_OPERATOR_OUTPUTS);
  const rt_vector inputs = rt_arena_tensors(model, index, RT_OPERATOR_INPUTS);
  offer found = {.scratch = &model->buffers[model->tensors.count + index], .input = RT_NONE};
  if (outputs.count != 1) {
    return found;
  }
  found.output = &model->buffers[rt_vector_i32(&model->file, outputs, 0)];
  if (found.output->place != RT_UNPLACED) {
    return found;
  }
  for (uint32_t slot = 0; slot < inputs.count && found.output->at >> slot != 0; ++slot) {
    const int32_t input = rt_vector_i32(&model->file, inputs, slot);
    if ((found.output->at >> slot & 1U) != 0 && input >= 0 &&
        model->buffers[input].bytes >= found.output->bytes && may_overwrite(model, (uint32_t)input, index)) {
      found.input = (uint32_t)input;
      return found;
    }
  }
  return found;
}

static void take(const offer *taken) {
  taken->output->place = RT_ALIAS;
  taken->output->at = taken->input & RT_MAX_PLACE;
  taken->scratch->bytes += taken->scratch->at;
}

/* What an operator needs with its offer taken. */
static uint32_t bytes_if_taken(const rt_model *model, const offer *taken, uint32_t at) {
  const rt_buffer output = *taken->output, scratch = *taken->scratch;
  take(taken);
  const uint32_t bytes = live_bytes(model, model->tensors.count + model->operators.count, at);
  *taken->output = output;
  *taken->scratch = scratch;
  return bytes;
}

/* Take what costs nothing. Gives the bytes that the most demanding operator needs at the least. */
static uint32_t take_free_offers(rt_model *model) {
  uint32_t most = 0;
  for (uint32_t i = 0; i < model->operators.count; ++i) {
    const offer found = find_offer(model, i);
    const bool costs = found.input != RT_NONE && found.scratch->at > 0;
    if (found.input != RT_NONE && !costs) {
      take(&found);
    }
    uint32_t bytes = live_bytes(model, model->tensors.count + model->operators.count, i);
    if (costs) {
      const uint32_t less = bytes_if_taken(model, &found, i);
      bytes = less < bytes ? less : bytes;
    }
    most = bytes > most ? bytes : most;
  }
  return most;
}

void rt_share(rt_model *model) {
  const uint32_t count = model->tensors.count + model->operators.count;
  flatten(model->buffers, count);
  const uint32_t most = take_free_offers(model);
  for (uint32_t i = 0; i < model->operators.count; ++i) {
    const offer found = find_offer(model, i);
    if (found.input != RT_NONE && live_bytes(model, count, i) > most) {
      take(&found);
    }
  }
  flatten(model->buffers, count);
}
