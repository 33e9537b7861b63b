/* SPDX-License-Identifier: Apache-2.0 */
#define RT_ARENA_LINKAGE static inline
#include "rt_model.h"

#include <string.h>

#include "rt_error.h"
#include "rt_kernels.h"
#include "rt_names.h"
#include "rt_plan.h"
#include "rt_stretch.h"

enum { RT_MAX_LIST = 1 << 14 }; /* keeps the index of a buffer and of an operator within 16 bits */

static bool broken(runtime_error *error, const char *what) {
  return rt_error_set(error, RUNTIME_BAD_MODEL, RT_NO_OPERATOR, "%s", what);
}

/* The file's own tables; gives the one subgraph. */
static bool read_file(rt_model *model, uint32_t *graph, runtime_error *error) {
  rt_flatbuffer *file = &model->file;
  if (file->size < 8 || memcmp(file->bytes + 4, "TFL3", 4) != 0) {
    return broken(error, "not a TensorFlow Lite flatbuffer: no TFL3 at offset 4");
  }
  const uint32_t root = rt_read_root(file);
  const rt_vector subgraphs = rt_field_vector(file, root, RT_MODEL_SUBGRAPHS, 4);
  model->codes = rt_field_vector(file, root, RT_MODEL_OPERATOR_CODES, 4);
  model->data = rt_field_vector(file, root, RT_MODEL_BUFFERS, 4);
  if (rt_field_i32(file, root, RT_MODEL_VERSION, 0) != RT_SCHEMA_VERSION || file->broken) {
    return broken(error, "the flatbuffer is broken or not of schema version 3");
  }
  if (subgraphs.count != 1) {
    return rt_error_set(error, RUNTIME_UNSUPPORTED_OPERATOR, RT_NO_OPERATOR,
                        "the model has %u subgraphs; only one is supported", subgraphs.count);
  }
  *graph = rt_vector_table(file, subgraphs, 0);
  return true;
}

static bool read_graph(rt_model *model, uint32_t graph, runtime_error *error) {
  rt_flatbuffer *file = &model->file;
  const rt_vector inputs = rt_field_vector(file, graph, RT_SUBGRAPH_INPUTS, 4);
  const rt_vector outputs = rt_field_vector(file, graph, RT_SUBGRAPH_OUTPUTS, 4);
  model->tensors = rt_field_vector(file, graph, RT_SUBGRAPH_TENSORS, 4);
  model->operators = rt_field_vector(file, graph, RT_SUBGRAPH_OPERATORS, 4);
  if (file->broken || model->operators.count == 0) {
    return broken(error, "the flatbuffer is broken or has no operators");
  }
  if (model->tensors.count > RT_MAX_LIST || model->operators.count > RT_MAX_LIST) {
    return broken(error, "the model has more than 16384 tensors or operators");
  }
  if (inputs.count != 1 || outputs.count != 1) {
    return rt_error_set(error, RUNTIME_UNSUPPORTED_OPERATOR, RT_NO_OPERATOR,
                        "the model has %u inputs and %u outputs; one of each is supported", inputs.count,
                        outputs.count);
  }
  model->input = (uint32_t)rt_vector_i32(file, inputs, 0);
  model->output = (uint32_t)rt_vector_i32(file, outputs, 0);
  if (model->input >= model->tensors.count || model->output >= model->tensors.count) {
    return broken(error, "the model's input or output is no tensor of it");
  }
  return true;
}

/* Memory for the buffers and operators; both stay NULL where the arena cannot hold them. */
static void keep_lists(rt_model *model) {
  const uint32_t count = model->tensors.count + model->operators.count;
  model->buffers = rt_arena_keep(model, count * (uint32_t)sizeof(rt_buffer));
  model->running = rt_arena_keep(model, model->operators.count * (uint32_t)sizeof(rt_operator));
  if (model->running == NULL) {
    model->buffers = NULL;
    return;
  }
  for (uint32_t i = 0; i < count; ++i) {
    model->buffers[i].first = RT_NEVER;
  }
  model->buffers[model->input].first = 0;
}

/* An operator may read constants and what was written before. */
static bool note_inputs(rt_node *node) {
  for (uint32_t slot = 0; slot < node->inputs.count; ++slot) {
    rt_tensor tensor;
    const int32_t index = rt_vector_i32(&node->model->file, node->inputs, slot);
    if (index == -1) {
      continue; /* optional, left out */
    }
    if (!rt_tensor_read(node, (uint32_t)index, &tensor)) {
      return false;
    }
    if (!tensor.constant && node->model->buffers != NULL) {
      rt_buffer *buffer = &node->model->buffers[index];
      if (buffer->first == RT_NEVER) {
        return rt_node_broken(node, "it reads a tensor that nothing wrote before");
      }
      buffer->last = (uint16_t)node->index;
    }
  }
  return true;
}

/* It may write what nothing wrote before. */
static bool note_outputs(rt_node *node) {
  for (uint32_t slot = 0; slot < node->outputs.count; ++slot) {
    rt_tensor tensor;
    const uint32_t index = (uint32_t)rt_vector_i32(&node->model->file, node->outputs, slot);
    if (!rt_tensor_read(node, index, &tensor)) {
      return false;
    }
    rt_arena_want(node->model, (uint32_t)tensor.elements);
    if (node->model->buffers != NULL) {
      rt_buffer *buffer = &node->model->buffers[index];
      if (tensor.constant || buffer->first != RT_NEVER) {
        return rt_node_broken(node, "it writes a constant, the input, or what is written already");
      }
      buffer->first = (uint16_t)node->index;
      buffer->last = (uint16_t)node->index;
    }
  }
  return true;
}

static uint32_t find_kernel(uint32_t code) {
  for (uint32_t i = 0; i < rt_kernel_count; ++i) {
    if ((uint32_t)rt_kernels[i].code == code) {
      return i;
    }
  }
  return RT_NONE;
}

/* An operator's table and its code; what lies outside the file leaves the file broken. */
static rt_node read_node(rt_model *model, uint32_t index, runtime_error *error, uint32_t *code) {
  rt_flatbuffer *file = &model->file;
  const uint32_t table = rt_vector_table(file, model->operators, index);
  const uint32_t opcode = (uint32_t)rt_field_i32(file, table, RT_OPERATOR_OPCODE_INDEX, 0);
  const uint32_t entry = rt_vector_table(file, model->codes, opcode);
  const uint32_t narrow = rt_field_u8(file, entry, RT_OPERATOR_CODE_DEPRECATED, 0);
  const uint32_t wide = (uint32_t)rt_field_i32(file, entry, RT_OPERATOR_CODE_WIDE, 0);
  *code = wide > narrow ? wide : narrow;
  return (rt_node){.model = model,
                   .index = index,
                   .name = rt_operator_name(*code),
                   .inputs = rt_field_vector(file, table, RT_OPERATOR_INPUTS, 4),
                   .outputs = rt_field_vector(file, table, RT_OPERATOR_OUTPUTS, 4),
                   .options = rt_field_table(file, table, RT_OPERATOR_OPTIONS),
                   .options_type = rt_field_u8(file, table, RT_OPERATOR_OPTIONS_TYPE, 0),
                   .running = model->buffers == NULL ? NULL : &model->running[index],
                   .error = error};
}

static bool prepare_operator(rt_model *model, uint32_t index, runtime_error *error) {
  uint32_t code;
  rt_node node = read_node(model, index, error, &code);
  if (model->file.broken) {
    return rt_node_broken(&node, "its table points outside the file");
  }
  const uint32_t kernel = find_kernel(code);
  if (kernel == RT_NONE) {
    return rt_error_set(error, RUNTIME_UNSUPPORTED_OPERATOR, (int32_t)index, "operator %u: no kernel for %s",
                        index, node.name);
  }
  if (!note_inputs(&node) || !note_outputs(&node)) {
    return false;
  }
  if (node.running != NULL) {
    node.running->kernel = kernel;
  }
  if (!rt_kernels[kernel].prepare(&node)) {
    return false;
  }
  return !model->file.broken || rt_node_broken(&node, "its options point outside the file");
}

/* The model's own input or output: int8, and no constant. */
static bool check_end(rt_model *model, uint32_t index, const char *name, runtime_error *error) {
  rt_node node = {.model = model, .index = RT_NONE, .name = name, .error = error};
  rt_tensor tensor;
  if (!rt_tensor_read(&node, index, &tensor)) {
    return false;
  }
  if (tensor.constant || tensor.type != RT_TYPE_INT8) {
    return rt_node_unsupported(&node, "it must be int8 and no constant");
  }
  if (model->buffers != NULL && model->buffers[index].first == RT_NEVER) {
    return rt_node_broken(&node, "nothing writes it");
  }
  rt_arena_want(model, (uint32_t)tensor.elements);
  return true;
}

static bool check_ends(rt_model *model, runtime_error *error) {
  if (!check_end(model, model->input, "the model's input", error) ||
      !check_end(model, model->output, "the model's output", error)) {
    return false;
  }
  if (model->buffers != NULL) {
    model->buffers[model->output].last = (uint16_t)model->operators.count; /* the caller reads it */
  }
  return true;
}

static bool fits(rt_model *model, size_t arena_size, runtime_error *error) {
  const uint32_t planned =
      model->buffers == NULL ? model->wanted_bytes : model->tensor_bytes + model->scratch_bytes;
  const uint32_t kept = rt_align(model->kept_bytes);
  if (model->buffers != NULL && planned <= model->arena_bytes && kept <= model->arena_bytes - planned) {
    return true;
  }
  error->needed_bytes = model->lost_bytes + planned + kept;
  return rt_error_set(error, RUNTIME_ARENA_TOO_SMALL, RT_NO_OPERATOR,
                      "the tensor arena has %u bytes, the model needs %u", (uint32_t)arena_size,
                      error->needed_bytes);
}

static void set_arena(rt_model *model, uint8_t *arena, size_t size) {
  const uint32_t capped = size > RT_MAX_PLACE ? RT_MAX_PLACE : (uint32_t)size;
  model->lost_bytes = (uint32_t)(-(uintptr_t)arena & (RT_ALIGNMENT - 1U));
  model->arena = arena + model->lost_bytes;
  model->arena_bytes = capped < model->lost_bytes ? 0 : (capped - model->lost_bytes) & ~(RT_ALIGNMENT - 1U);
}

bool rt_model_prepare(rt_model *model, const uint8_t *file, size_t size, uint8_t *arena, size_t arena_size,
                      runtime_error *error) {
  model->file = (rt_flatbuffer){.bytes = file, .size = (uint32_t)size};
  if (size > RT_MAX_PLACE || (uintptr_t)file % 4 != 0) {
    return broken(error, "the model is not aligned to 4 bytes, or larger than a gigabyte");
  }
  set_arena(model, arena, arena_size);
  uint32_t graph = 0;
  if (!read_file(model, &graph, error) || !read_graph(model, graph, error)) {
    return false;
  }
  keep_lists(model);
  for (uint32_t i = 0; i < model->operators.count; ++i) {
    if (!prepare_operator(model, i, error)) {
      return false;
    }
  }
  return check_ends(model, error);
}

bool rt_model_open(rt_model *model, const uint8_t *file, size_t size, uint8_t *arena, size_t arena_size,
                   runtime_error *error) {
  if (!rt_model_prepare(model, file, size, arena, arena_size, error)) {
    return false;
  }
  if (model->kept_bytes > model->arena_bytes) {
    model->buffers = NULL; /* no room for the operators' state: what is there was only counted */
  } else if (!rt_plan(model)) {
    return broken(error, "its tensors take more than a gigabyte");
  }
  if (!fits(model, arena_size, error)) {
    return false;
  }
  rt_stretch(model);
  return true;
}
