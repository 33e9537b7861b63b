/* SPDX-License-Identifier: Apache-2.0 */
#include "rt_node.h"

#include "rt_error.h"

static bool fail(rt_node *node, runtime_status status, const char *what) {
  if (node->index == RT_NONE) {
    return rt_error_set(node->error, status, RT_NO_OPERATOR, "%s: %s", node->name, what);
  }
  return rt_error_set(node->error, status, (int32_t)node->index, "operator %u (%s): %s", node->index,
                      node->name, what);
}

bool rt_node_unsupported(rt_node *node, const char *what) {
  return fail(node, RUNTIME_UNSUPPORTED_OPERATOR, what);
}

bool rt_node_broken(rt_node *node, const char *what) { return fail(node, RUNTIME_BAD_MODEL, what); }

bool rt_node_has_input(rt_node *node, uint32_t slot) {
  return slot < node->inputs.count && rt_vector_i32(&node->model->file, node->inputs, slot) >= 0;
}

static bool read_input(rt_node *node, uint32_t slot, rt_tensor *tensor) {
  if (!rt_node_has_input(node, slot)) {
    return rt_node_broken(node, "an input is missing");
  }
  return rt_tensor_read(node, (uint32_t)rt_vector_i32(&node->model->file, node->inputs, slot), tensor);
}

static bool expect_activation(rt_node *node, const rt_tensor *tensor) {
  if (tensor->type != RT_TYPE_INT8) {
    return rt_node_unsupported(node, "int32 where int8 is expected");
  }
  if (tensor->scales.count != 1 || tensor->scale <= 0.0F) {
    return rt_node_broken(node, "an activation has no scale, or more than one");
  }
  return true;
}

bool rt_node_input(rt_node *node, uint32_t slot, rt_tensor *tensor) {
  return read_input(node, slot, tensor) && expect_activation(node, tensor);
}

bool rt_node_output(rt_node *node, rt_tensor *tensor) {
  if (node->outputs.count != 1) {
    return rt_node_broken(node, "it must have one output");
  }
  return rt_tensor_read(node, (uint32_t)rt_vector_i32(&node->model->file, node->outputs, 0), tensor) &&
         expect_activation(node, tensor);
}

bool rt_node_weights(rt_node *node, uint32_t slot, int32_t channel_axis, rt_tensor *tensor) {
  if (!read_input(node, slot, tensor)) {
    return false;
  }
  if (tensor->type != RT_TYPE_INT8 || !tensor->constant) {
    return rt_node_unsupported(node, "weights must be constant and int8");
  }
  if (tensor->zero_point != 0) {
    return rt_node_unsupported(node, "weights must have the zero point 0");
  }
  const uint32_t scales = tensor->scales.count;
  if (scales == 0 || channel_axis >= tensor->rank || (scales > 1 && tensor->channel_axis != channel_axis) ||
      (scales > 1 && scales != (uint32_t)tensor->dims[channel_axis])) {
    return rt_node_broken(node, "the weights' scales do not match their shape");
  }
  return true;
}

bool rt_node_bias(rt_node *node, uint32_t slot, int32_t channels, rt_tensor *tensor) {
  if (!rt_node_has_input(node, slot)) {
    *tensor = (rt_tensor){.index = RT_NONE};
    return true;
  }
  if (!read_input(node, slot, tensor)) {
    return false;
  }
  if (tensor->type != RT_TYPE_INT32 || !tensor->constant) {
    return rt_node_unsupported(node, "the bias must be constant and int32");
  }
  return rt_node_expect_elements(node, tensor, channels);
}

bool rt_node_integers(rt_node *node, uint32_t slot, int32_t *values, int32_t capacity, int32_t *count) {
  rt_tensor tensor;
  if (!read_input(node, slot, &tensor)) {
    return false;
  }
  if (tensor.type != RT_TYPE_INT32 || !tensor.constant) {
    return rt_node_unsupported(node, "paddings, axes and shapes must be constant and int32");
  }
  if (tensor.elements > capacity) {
    return rt_node_broken(node, "it lists more dimensions than there are");
  }
  for (int32_t i = 0; i < tensor.elements; ++i) {
    values[i] = rt_read_i32(&node->model->file, tensor.data + 4 * (uint32_t)i);
  }
  *count = tensor.elements;
  return true;
}

bool rt_node_expect_rank(rt_node *node, const rt_tensor *tensor, int32_t rank) {
  return tensor->rank == rank ||
         rt_node_unsupported(node, "a tensor has an unsupported number of dimensions");
}

bool rt_node_expect_shape(rt_node *node, const rt_tensor *tensor, int32_t rank, const int32_t *dims) {
  bool same = tensor->rank == rank;
  for (int32_t i = 0; same && i < rank; ++i) {
    same = tensor->dims[i] == dims[i];
  }
  return same || rt_node_broken(node, "a shape does not follow from the others and the options");
}

bool rt_node_expect_elements(rt_node *node, const rt_tensor *tensor, int32_t elements) {
  return tensor->elements == elements ||
         rt_node_broken(node, "a size does not follow from the others and the options");
}

bool rt_node_expect_same_quantization(rt_node *node, const rt_tensor *a, const rt_tensor *b) {
  const bool same = a->zero_point == b->zero_point && !(a->scale < b->scale) && !(a->scale > b->scale);
  return same || rt_node_unsupported(node, "its input and output must share scale and zero point");
}

bool rt_node_expect_options(rt_node *node, uint32_t options_type) {
  const bool right = node->options != 0 && node->options_type == options_type;
  return right || rt_node_broken(node, "its options are missing or of another operator");
}

int32_t rt_node_option_u8(rt_node *node, uint32_t field) {
  return rt_field_u8(&node->model->file, node->options, field, 0);
}

int32_t rt_node_option_i32(rt_node *node, uint32_t field, int32_t otherwise) {
  return rt_field_i32(&node->model->file, node->options, field, otherwise);
}

bool rt_node_activation(rt_node *node, int32_t activation, const rt_tensor *output, rt_range *range) {
  *range = (rt_range){INT8_MIN, INT8_MAX};
  if (activation != RT_ACTIVATION_NONE && activation != RT_ACTIVATION_RELU &&
      activation != RT_ACTIVATION_RELU6) {
    return rt_node_unsupported(node, "its fused activation is none of NONE, RELU and RELU6");
  }
  if (activation != RT_ACTIVATION_NONE) {
    range->low = output->zero_point;
  }
  const float six = 6.0F / output->scale;
  if (activation == RT_ACTIVATION_RELU6 && six < (float)(INT8_MAX - INT8_MIN + 1)) {
    const int32_t high = output->zero_point + rt_round(six);
    range->high = high < INT8_MAX ? high : INT8_MAX;
  }
  return true;
}

bool rt_node_factor(rt_node *node, double real, rt_factor *factor) {
  return rt_factor_from_real(real, factor) ||
         rt_node_unsupported(node, "the scales of inputs and output are too far apart");
}

bool rt_node_channel_factors(rt_node *node, const rt_tensor *input, const rt_tensor *weights,
                             const rt_tensor *output, uint32_t channels, rt_factor *factors) {
  rt_flatbuffer *file = &node->model->file;
  for (uint32_t i = 0; i < channels; ++i) {
    const uint32_t at = weights->scales.at + (weights->scales.count > 1 ? 4 * i : 0);
    const double real = (double)input->scale * (double)rt_read_f32(file, at) / (double)output->scale;
    if (!rt_node_factor(node, real, &factors[i])) {
      return false;
    }
  }
  return true;
}

void *rt_node_keep(rt_node *node, uint32_t bytes) {
  uint8_t *state = rt_arena_keep(node->model, bytes);
  if (state != NULL && node->running != NULL) {
    node->running->state = (uint32_t)(state - node->model->arena);
  }
  return state;
}

uint32_t rt_node_scratch_index(const rt_node *node) { return node->model->tensors.count + node->index; }

bool rt_node_scratch(rt_node *node, uint32_t bytes) {
  rt_model *model = node->model;
  if (bytes >= RT_MAX_SCRATCH) {
    return rt_node_unsupported(node, "it needs more working memory than any board has");
  }
  rt_arena_want(model, bytes);
  if (model->buffers != NULL) {
    rt_buffer *scratch = &model->buffers[rt_node_scratch_index(node)];
    scratch->bytes = bytes;
    scratch->first = scratch->last = (uint16_t)node->index;
  }
  return true;
}

void rt_node_in_place(rt_node *node, uint32_t slot, uint32_t extra_bytes) {
  rt_model *model = node->model;
  if (extra_bytes >= RT_MAX_SCRATCH) {
    return; /* more than any output could save: nothing to offer */
  }
  rt_arena_want(model, extra_bytes);
  if (model->buffers != NULL && slot < RT_MAX_SLOTS) {
    rt_buffer *scratch = &model->buffers[rt_node_scratch_index(node)];
    const uint32_t output = (uint32_t)rt_vector_i32(&model->file, node->outputs, 0);
    model->buffers[output].at |= 1U << slot & RT_MAX_PLACE;
    scratch->at = extra_bytes & RT_MAX_PLACE;
    scratch->first = scratch->last = (uint16_t)node->index;
  }
}

void rt_node_alias(rt_node *node, const rt_tensor *input, const rt_tensor *output) {
  if (node->model->buffers != NULL) {
    rt_buffer *buffer = &node->model->buffers[output->index];
    buffer->place = RT_ALIAS;
    buffer->at = input->index & RT_MAX_PLACE;
  }
}
