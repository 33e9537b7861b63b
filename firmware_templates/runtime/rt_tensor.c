/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a tensor of the flatbuffer and checks that it hangs together. */
#include "rt_error.h"
#include "rt_names.h"
#include "rt_node.h"

static bool read_shape(rt_node *node, uint32_t table, rt_tensor *tensor) {
  rt_flatbuffer *file = &node->model->file;
  const rt_vector shape = rt_field_vector(file, table, RT_TENSOR_SHAPE, 4);
  if (shape.count > RT_MAX_RANK) {
    return rt_node_unsupported(node, "a tensor has more than 4 dimensions");
  }
  tensor->rank = (int32_t)shape.count;
  tensor->elements = 1;
  for (uint32_t i = 0; i < shape.count; ++i) {
    const int32_t size = rt_vector_i32(file, shape, i);
    if (size < 1 || size > RT_MAX_ELEMENTS / tensor->elements) {
      return rt_node_broken(node, "a tensor's dimension is unknown, empty or gigantic");
    }
    tensor->dims[i] = size;
    tensor->elements *= size;
  }
  return true;
}

static bool read_quantization(rt_node *node, uint32_t table, rt_tensor *tensor) {
  rt_flatbuffer *file = &node->model->file;
  const uint32_t quantization = rt_field_table(file, table, RT_TENSOR_QUANTIZATION);
  const rt_vector zero_points = rt_field_vector(file, quantization, RT_QUANTIZATION_ZERO_POINT, 8);
  tensor->scales = rt_field_vector(file, quantization, RT_QUANTIZATION_SCALE, 4);
  tensor->channel_axis = rt_field_i32(file, quantization, RT_QUANTIZATION_DIMENSION, 0);
  if (tensor->scales.count > 0) {
    tensor->scale = rt_read_f32(file, tensor->scales.at);
  }
  for (uint32_t i = 0; i < zero_points.count; ++i) {
    const int64_t zero_point = rt_read_i64(file, zero_points.at + 8 * i);
    if (zero_point < INT8_MIN || zero_point > INT8_MAX || (i > 0 && zero_point != tensor->zero_point)) {
      return rt_node_broken(node, "zero points of a tensor differ or are no int8");
    }
    tensor->zero_point = (int32_t)zero_point;
  }
  for (uint32_t i = 0; i < tensor->scales.count; ++i) {
    const float scale = rt_read_f32(file, tensor->scales.at + 4 * i);
    if (!(scale >= 0.0F && scale < 1e30F)) { /* not even a NaN passes */
      return rt_node_broken(node, "a tensor's scale is negative or no number");
    }
  }
  return true;
}

/* A tensor whose buffer has bytes is a constant. */
static bool read_data(rt_node *node, uint32_t table, rt_tensor *tensor) {
  rt_model *model = node->model;
  const uint32_t index = (uint32_t)rt_field_i32(&model->file, table, RT_TENSOR_BUFFER, 0);
  const uint32_t buffer = rt_vector_table(&model->file, model->data, index);
  const rt_vector data = rt_field_vector(&model->file, buffer, RT_BUFFER_DATA, 1);
  const uint32_t element_bytes = tensor->type == RT_TYPE_INT8 ? 1 : 4;
  tensor->constant = data.count > 0;
  if (!tensor->constant) {
    return true;
  }
  if (rt_field_u8(&model->file, table, RT_TENSOR_IS_VARIABLE, 0) != 0) {
    return rt_node_unsupported(node, "a tensor is a variable");
  }
  if (data.count != (uint32_t)tensor->elements * element_bytes || data.at % element_bytes != 0) {
    return rt_node_broken(node, "a constant's bytes do not fit its shape, or are unaligned");
  }
  tensor->data = data.at;
  return true;
}

/* What the plan must know of it. */
static void describe(rt_model *model, const rt_tensor *tensor) {
  if (model->buffers != NULL) {
    rt_buffer *buffer = &model->buffers[tensor->index];
    buffer->bytes = (uint32_t)tensor->elements * (tensor->type == RT_TYPE_INT8 ? 1 : 4);
    if (tensor->constant) {
      buffer->place = RT_IN_MODEL;
      buffer->at = tensor->data & RT_MAX_PLACE;
    }
  }
}

static bool wrong_type(rt_node *node, const rt_tensor *tensor) {
  if (node->index == RT_NONE) {
    return rt_error_set(node->error, RUNTIME_UNSUPPORTED_OPERATOR, RT_NO_OPERATOR,
                        "%s is %s; quantise to int8", node->name, rt_type_name(tensor->type));
  }
  return rt_error_set(node->error, RUNTIME_UNSUPPORTED_OPERATOR, (int32_t)node->index,
                      "operator %u (%s): tensor %u is %s; quantise to int8", node->index, node->name,
                      tensor->index, rt_type_name(tensor->type));
}

bool rt_tensor_read(rt_node *node, uint32_t index, rt_tensor *tensor) {
  rt_model *model = node->model;
  *tensor = (rt_tensor){.index = index};
  if (index >= model->tensors.count) {
    return rt_node_broken(node, "it names a tensor that does not exist");
  }
  const uint32_t table = rt_vector_table(&model->file, model->tensors, index);
  tensor->type = rt_field_u8(&model->file, table, RT_TENSOR_TYPE, RT_TYPE_FLOAT32);
  if (tensor->type != RT_TYPE_INT8 && tensor->type != RT_TYPE_INT32) {
    return wrong_type(node, tensor);
  }
  if (!read_shape(node, table, tensor) || !read_quantization(node, table, tensor) ||
      !read_data(node, table, tensor)) {
    return false;
  }
  if (model->file.broken) {
    return rt_node_broken(node, "a tensor points outside the file");
  }
  describe(model, tensor);
  return true;
}
