/* SPDX-License-Identifier: Apache-2.0 */
#include "rt_claim.h"

#include "rt_model.h"

void *rt_claim_state(rt_node *node, uint32_t bytes) {
  uint8_t *state = rt_model_keep(node->model, bytes);
  if (state != NULL && node->running != NULL) {
    node->running->state = (uint32_t)(state - node->model->arena);
  }
  return state;
}

uint32_t rt_claim_scratch_index(const rt_node *node) { return node->model->tensors.count + node->index; }

bool rt_claim_scratch(rt_node *node, uint32_t bytes) {
  rt_model *model = node->model;
  if (bytes >= RT_MAX_SCRATCH) {
    return rt_node_unsupported(node, "it needs more working memory than any board has");
  }
  rt_model_want(model, bytes);
  if (model->buffers != NULL) {
    rt_buffer *scratch = &model->buffers[rt_claim_scratch_index(node)];
    scratch->bytes = bytes;
    scratch->first = scratch->last = (uint16_t)node->index;
  }
  return true;
}

void rt_claim_in_place(rt_node *node, uint32_t slot, uint32_t extra_bytes) {
  rt_model *model = node->model;
  if (extra_bytes >= RT_MAX_SCRATCH) {
    return; /* more than any output could save: nothing to offer */
  }
  rt_model_want(model, extra_bytes);
  if (model->buffers != NULL && slot < RT_MAX_SLOTS) {
    rt_buffer *scratch = &model->buffers[rt_claim_scratch_index(node)];
    const uint32_t output = (uint32_t)rt_vector_i32(&model->file, node->outputs, 0);
    model->buffers[output].at |= 1U << slot & RT_MAX_PLACE;
    scratch->at = extra_bytes & RT_MAX_PLACE;
    scratch->first = scratch->last = (uint16_t)node->index;
  }
}

void rt_claim_alias(rt_node *node, const rt_tensor *input, const rt_tensor *output) {
  if (node->model->buffers != NULL) {
    rt_buffer *buffer = &node->model->buffers[output->index];
    buffer->place = RT_ALIAS;
    buffer->at = input->index & RT_MAX_PLACE;
  }
}
