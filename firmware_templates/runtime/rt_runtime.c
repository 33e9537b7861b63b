/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_api.h for the built-in runtime. */
#include "runtime_api.h"

#include "rt_error.h"
#include "rt_kernels.h"
#include "rt_model.h"
#include "rt_names.h"

/* Raised when the same model may give other cycles, arena or bytes than before. */
static const char revision[] = "2";

static struct {
  rt_model model;
  bool open;
  const uint16_t *order; /* the hint for the next open */
  uint32_t order_count;
} rt_state;

const char *runtime_name(void) { return "builtin"; }
const char *runtime_revision(void) { return revision; }
const char *runtime_kernels(void) { return rt_kernels_name; }

void runtime_set_order(const uint16_t *order, uint32_t count) {
  rt_state.order = order;
  rt_state.order_count = count;
}

runtime_status runtime_open(const uint8_t *model, size_t size, uint8_t *arena, size_t arena_size,
                            runtime_error *error) {
  rt_error_clear(error);
  rt_state.model = (rt_model){.order = rt_state.order, .order_count = rt_state.order_count};
  runtime_set_order(NULL, 0);
  rt_state.open = rt_model_open(&rt_state.model, model, size, arena, arena_size, error);
  return error->status;
}

runtime_status runtime_invoke(runtime_probe probe, void *context, runtime_error *error) {
  const rt_model *model = &rt_state.model;
  rt_error_clear(error);
  if (!rt_state.open) {
    rt_error_set(error, RUNTIME_INVOKE_FAILED, RT_NO_OPERATOR, "no model is open");
    return error->status;
  }
  if (probe != NULL) {
    probe(context, 0);
  }
  for (uint32_t i = 0; i < model->operators.count; ++i) {
    const rt_operator *running = &model->running[i];
    rt_kernels[running->kernel].invoke(model, model->arena + running->state);
    if (probe != NULL) {
      probe(context, i + 1);
    }
  }
  return RUNTIME_OK;
}

int8_t *runtime_input(size_t *bytes) {
  const rt_model *model = &rt_state.model;
  *bytes = rt_state.open ? model->buffers[model->input].bytes : 0;
  return rt_state.open ? rt_model_buffer(model, model->input) : NULL;
}

const int8_t *runtime_output(size_t *bytes) {
  const rt_model *model = &rt_state.model;
  *bytes = rt_state.open ? model->buffers[model->output].bytes : 0;
  return rt_state.open ? rt_model_data(model, model->output) : NULL;
}

uint32_t runtime_operator_count(void) { return rt_state.open ? rt_state.model.operators.count : 0; }

const char *runtime_operator_name(uint32_t index) {
  if (index >= runtime_operator_count()) {
    return "";
  }
  return rt_operator_name((uint32_t)rt_kernels[rt_state.model.running[index].kernel].code);
}

void runtime_arena_use(runtime_arena *use) {
  const rt_model *model = &rt_state.model;
  *use = (runtime_arena){.plan = ""};
  if (rt_state.open) {
    use->tensor_bytes = model->tensor_bytes;
    use->scratch_bytes = model->scratch_bytes;
    use->persistent_bytes = model->kept_bytes;
    use->bound_bytes = model->bound_bytes;
    use->plan = model->plan;
    use->exact = true;
    use->used_bytes =
        model->lost_bytes + model->tensor_bytes + model->scratch_bytes + rt_align(model->kept_bytes);
  }
}
