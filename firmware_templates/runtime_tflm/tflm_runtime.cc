/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_api.h for TensorFlow Lite Micro. Objects are placed in static memory or the arena; none is
 * destroyed. The library trusts its flatbuffers: whoever builds an image has read the models before. */
#include "format.h"
#include "log.h"
#include "planner.h"
#include "resolver.h"
extern "C" {
#include "runtime_api.h"
}

#include "tensorflow/lite/micro/arena_allocator/single_arena_buffer_allocator.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"
#include "tensorflow/lite/schema/schema_generated.h"

#include <cstring>
#include <new>

namespace {

constexpr int32_t kNoOperator = -1;
/* With less the library writes through null pointers before it looks for the first time. */
constexpr size_t kSmallestArena = 1024;

/* Calls the probe where the interpreter begins and ends an operator. */
class Probe final : public tflite::MicroProfilerInterface {
public:
  void set(runtime_probe probe, void *context) {
    probe_ = probe;
    context_ = context;
    done_ = 0;
    depth_ = 0;
  }

  uint32_t BeginEvent(const char *) override {
    if (depth_++ == 0 && done_ == 0 && probe_ != nullptr) {
      probe_(context_, 0);
    }
    return 0;
  }

  void EndEvent(uint32_t) override {
    if (--depth_ == 0 && probe_ != nullptr) { /* operators may report parts of themselves */
      probe_(context_, ++done_);
    }
  }

  void operator delete(void *) {} /* never called: nothing is destroyed */

private:
  runtime_probe probe_ = nullptr;
  void *context_ = nullptr;
  uint32_t done_ = 0, depth_ = 0;
};

struct State {
  const tflite::Model *model;
  const tflite::MicroOpResolver *resolver;
  tflite::SingleArenaBufferAllocator *memory;
  tflite::MicroInterpreter *interpreter;
  Probe *probe;
  bool open;
};

State state;
alignas(Probe) unsigned char probe_room[sizeof(Probe)];
alignas(tflite::MicroInterpreter) unsigned char interpreter_room[sizeof(tflite::MicroInterpreter)];

runtime_status fail(runtime_error *error, runtime_status status, int32_t index, const char *what,
                    const char *detail) {
  error->status = status;
  error->operator_index = index;
  format_append(error->text, sizeof error->text, what);
  format_append(error->text, sizeof error->text, detail);
  return status;
}

tflite::BuiltinOperator code_of(const tflite::OperatorCode *code) {
  /* Files of before 2020 have the first field only, newer ones both. */
  const int old = static_cast<int>(code->deprecated_builtin_code());
  const int now = static_cast<int>(code->builtin_code());
  return static_cast<tflite::BuiltinOperator>(old > now ? old : now);
}

const tflite::SubGraph *graph() { return state.model->subgraphs()->Get(0); }

const char *name_of(uint32_t index) {
  const uint32_t code = graph()->operators()->Get(index)->opcode_index();
  return tflite::EnumNameBuiltinOperator(code_of(state.model->operator_codes()->Get(code)));
}

/* The library would say so too, but not which operator it is. */
bool all_have_kernels(runtime_error *error) {
  for (uint32_t i = 0; i < graph()->operators()->size(); i++) {
    const uint32_t code = graph()->operators()->Get(i)->opcode_index();
    if (state.resolver->FindOp(code_of(state.model->operator_codes()->Get(code))) == nullptr) {
      fail(error, RUNTIME_UNSUPPORTED_OPERATOR, static_cast<int32_t>(i), "no kernel for ", name_of(i));
      return false;
    }
  }
  return true;
}

bool is_int8(const TfLiteTensor *tensor) { return tensor != nullptr && tensor->type == kTfLiteInt8; }

runtime_status refuse(runtime_error *error, size_t arena_size) {
  if (log_memory_is_missing()) {
    error->needed_bytes = static_cast<uint32_t>(arena_size) + log_missing_bytes();
    return fail(error, RUNTIME_ARENA_TOO_SMALL, kNoOperator, "", log_first());
  }
  return fail(error, RUNTIME_UNSUPPORTED_OPERATOR, kNoOperator, "", log_first());
}

runtime_status prepare(uint8_t *arena, size_t arena_size, runtime_error *error) {
  /* As MicroAllocator::Create(arena, size) does it, with the planner watched. */
  state.memory = tflite::SingleArenaBufferAllocator::Create(arena, arena_size);
  WatchedPlanner *planner =
      new (state.memory->AllocatePersistentBuffer(sizeof(WatchedPlanner), alignof(WatchedPlanner)))
          WatchedPlanner();
  tflite::MicroAllocator *allocator = tflite::MicroAllocator::Create(state.memory, planner);
  state.interpreter = new (interpreter_room)
      tflite::MicroInterpreter(state.model, *state.resolver, allocator, nullptr, state.probe);
  if (state.interpreter->AllocateTensors() != kTfLiteOk) {
    return refuse(error, arena_size);
  }
  if (!is_int8(state.interpreter->input(0)) || !is_int8(state.interpreter->output(0))) {
    return fail(error, RUNTIME_UNSUPPORTED_OPERATOR, kNoOperator, "input or output is not int8", "");
  }
  state.open = true;
  return RUNTIME_OK;
}

} // namespace

extern "C" const char *runtime_name(void) { return "tflm"; }
extern "C" const char *runtime_revision(void) { return resolver_revision; }
extern "C" const char *runtime_kernels(void) { return resolver_has_cmsis_nn() ? "cmsis-nn" : "reference"; }

extern "C" void runtime_set_order(const uint16_t *, uint32_t) {} /* it plans as it likes */

extern "C" runtime_status runtime_open(const uint8_t *model, size_t size, uint8_t *arena, size_t arena_size,
                                       runtime_error *error) {
  *error = {};
  error->operator_index = kNoOperator;
  log_clear();
  state.open = false;
  if (state.probe == nullptr) {
    state.probe = new (probe_room) Probe();
    state.resolver = resolver_make();
  }
  state.probe->set(nullptr, nullptr);
  if (size < 8 || std::memcmp(model + 4, "TFL3", 4) != 0) {
    return fail(error, RUNTIME_BAD_MODEL, kNoOperator, "not a TFLite flatbuffer", "");
  }
  state.model = tflite::GetModel(model);
  if (state.model->version() != TFLITE_SCHEMA_VERSION) {
    return fail(error, RUNTIME_BAD_MODEL, kNoOperator, "not version 3 of the TFLite schema", "");
  }
  if (!all_have_kernels(error)) {
    return error->status;
  }
  uint8_t *aligned = arena + (-reinterpret_cast<uintptr_t>(arena) & 15u);
  const size_t lost = static_cast<size_t>(aligned - arena);
  if (arena_size < kSmallestArena + lost) {
    error->needed_bytes = kSmallestArena;
    return fail(error, RUNTIME_ARENA_TOO_SMALL, kNoOperator, "the arena is smaller than any model needs", "");
  }
  return prepare(aligned, arena_size - lost, error);
}

extern "C" runtime_status runtime_invoke(runtime_probe probe, void *context, runtime_error *error) {
  *error = {};
  error->operator_index = kNoOperator;
  log_clear();
  if (!state.open) {
    return fail(error, RUNTIME_INVOKE_FAILED, kNoOperator, "no model is open", "");
  }
  state.probe->set(probe, context);
  const TfLiteStatus status = state.interpreter->Invoke();
  state.probe->set(nullptr, nullptr);
  return status == kTfLiteOk ? RUNTIME_OK : fail(error, RUNTIME_INVOKE_FAILED, kNoOperator, "", log_first());
}

extern "C" int8_t *runtime_input(size_t *bytes) {
  TfLiteTensor *tensor = state.open ? state.interpreter->input(0) : nullptr;
  *bytes = tensor == nullptr ? 0 : tensor->bytes;
  return tensor == nullptr ? nullptr : tensor->data.int8;
}

extern "C" const int8_t *runtime_output(size_t *bytes) {
  const TfLiteTensor *tensor = state.open ? state.interpreter->output(0) : nullptr;
  *bytes = tensor == nullptr ? 0 : tensor->bytes;
  return tensor == nullptr ? nullptr : tensor->data.int8;
}

extern "C" uint32_t runtime_operator_count(void) { return state.open ? graph()->operators()->size() : 0; }

extern "C" const char *runtime_operator_name(uint32_t index) {
  return index < runtime_operator_count() ? name_of(index) : "";
}

extern "C" void runtime_arena_use(runtime_arena *use) {
  *use = {};
  use->plan = "greedy";
  if (state.open) {
    const uint32_t head = static_cast<uint32_t>(state.memory->GetNonPersistentUsedBytes());
    use->persistent_bytes = static_cast<uint32_t>(state.memory->GetPersistentUsedBytes());
    use->used_bytes = head + use->persistent_bytes;
    use->tensor_bytes = planner_tensor_bytes();
    use->scratch_bytes = head - use->tensor_bytes;
  }
}
