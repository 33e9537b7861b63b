/* SPDX-License-Identifier: Apache-2.0 */
/* The command loop: one request, one answer. */
#include "bench.h"
#include "board_api.h"
#include "image.h"
#include "runtime_api.h"
#include "text.h"
#include "wire.h"

#include <string.h>

static char answer[4096];

/* Bytes of a request, without the order behind it. */
enum { MEASURE_LENGTH = 10, TRY_LENGTH = 10 };

/* What READ can fetch after MEASURE; the last one after TRY. */
typedef enum {
  READ_SAMPLES = 0,
  READ_MARKS = 1,
  READ_OPERATORS = 2,
  READ_OUTPUT = 3,
  READ_SUMMARY = 4,
  READ_TRIAL = 5,
} read_what;

/* The fault that ended the life before this one; told until the next measurement begins. */
static board_fault fault;
static bool fault_known;

static void add_fault(text *out) {
  if (!fault_known) {
    return;
  }
  text_hex(out, "fault_pc", fault.pc);
  text_hex(out, "fault_lr", fault.lr);
  text_hex(out, "fault_cfsr", fault.cfsr);
  text_hex(out, "fault_hfsr", fault.hfsr);
  text_hex(out, "fault_address", fault.fault_address);
  text_u64(out, "fault_stage", fault.stage);
}

static void add_board(text *out) {
  board_info info;
  uint32_t arena_size;
  (void)board_arena(&arena_size);
  board_get_info(&info);
  text_string(out, "board", image_board_id);
  text_string(out, "port", image_port);
  text_u64(out, "core_clock_hz", info.core_clock_hz);
  text_hex(out, "cpuid", info.cpuid);
  text_hex(out, "device_id", info.device_id);
  text_bytes(out, "uid", info.uid, sizeof info.uid);
  text_hex(out, "reset_cause", info.reset_cause);
  text_string(out, "clock_source", info.clock_source ? "external" : "internal");
  text_u64(out, "icache", info.icache);
  text_u64(out, "dcache", info.dcache);
  text_u64(out, "flash_wait_states", info.flash_wait_states);
  text_u64(out, "flash_accelerator", info.flash_accelerator);
  text_u64(out, "arena_capacity_bytes", arena_size);
}

static void send_info(const wire_request *request) {
  text out;
  text_begin(&out, answer, sizeof answer);
  text_u64(&out, "nonce", wire_u32(request->payload));
  text_u64(&out, "protocol", WIRE_PROTOCOL);
  text_string(&out, "firmware_hash", image_firmware_hash);
  text_string(&out, "image_hash", image_hash);
  text_string(&out, "runtime", runtime_name());
  text_string(&out, "runtime_revision", runtime_revision());
  text_string(&out, "kernels", runtime_kernels());
  text_string(&out, "compiler", "gcc " __VERSION__);
  text_string(&out, "flags", image_flags);
  add_board(&out);
  add_fault(&out);
  text_u64(&out, "model_count", image_model_count);
  if (!text_complete(&out)) {
    wire_log("INFO does not fit into its buffer");
  }
  wire_send(WIRE_INFO, request->sequence, answer, out.length);
}

/* The order behind a request's `from` bytes. */
static void take_order(const wire_request *request, uint32_t from, bench_job *job) {
  static uint16_t order[WIRE_ORDER_MAX];
  job->order = order;
  job->order_count = (request->length - from) / 2u;
  for (uint32_t i = 0; i < job->order_count; i++) {
    order[i] = wire_u16(request->payload + from + 2u * i);
  }
}

static void try_arena(const wire_request *request) {
  bench_job job = {.model = wire_u16(request->payload), .seed = wire_u32(request->payload + 2)};
  const uint32_t arena_bytes = wire_u32(request->payload + 6);
  uint32_t arena_size;
  (void)board_arena(&arena_size);
  take_order(request, TRY_LENGTH, &job);
  if (job.model >= image_model_count) {
    wire_send_error(request->sequence, WIRE_ERROR_MODEL_INDEX, "no such model in this image");
    return;
  }
  if (arena_bytes > arena_size) {
    wire_send_error(request->sequence, WIRE_ERROR_ARENA, "the board's arena is smaller");
    return;
  }
  fault_known = false;
  wire_send(WIRE_STARTED, request->sequence, NULL, 0);
  board_flush();
  bench_try(&job, arena_bytes);
  wire_send(WIRE_DONE, request->sequence, NULL, 0);
}

static void measure(const wire_request *request) {
  bench_job job = {.model = wire_u16(request->payload),
                   .warmup = wire_u16(request->payload + 2),
                   .runs = wire_u16(request->payload + 4),
                   .seed = wire_u32(request->payload + 6)};
  runtime_error error;
  take_order(request, MEASURE_LENGTH, &job);
  if (job.model >= image_model_count) {
    wire_send_error(request->sequence, WIRE_ERROR_MODEL_INDEX, "no such model in this image");
    return;
  }
  if (job.runs == 0 || job.runs > BENCH_RUNS_MAX) {
    wire_send_error(request->sequence, WIRE_ERROR_RUNS, "the number of runs must be 1 to 256");
    return;
  }
  fault_known = false;
  wire_send(WIRE_STARTED, request->sequence, NULL, 0);
  board_flush(); /* nothing is on the line while timing */
  if (!bench_measure(&job, &error)) {
    wire_send_error(request->sequence, (uint16_t)(WIRE_ERROR_RUNTIME + error.status), error.text);
    return;
  }
  wire_send(WIRE_DONE, request->sequence, NULL, 0);
}

/* What one needs to know of a measurement beside its arrays, as lines. */
static size_t summary(const bench_result *result) {
  text out;
  size_t input_bytes;
  (void)runtime_input(&input_bytes);
  text_begin(&out, answer, sizeof answer);
  text_string(&out, "model", image_models[result->model].sha256);
  text_u64(&out, "input_bytes", input_bytes);
  text_u64(&out, "cold_cycles", result->cold_cycles);
  text_u64(&out, "samples", result->sample_count);
  text_u64(&out, "operators", result->operator_count);
  text_u64(&out, "profiled_cycles", result->profiled_cycles);
  text_u64(&out, "arena_used_bytes", result->arena.used_bytes);
  text_u64(&out, "arena_tensor_bytes", result->arena.tensor_bytes);
  text_u64(&out, "arena_scratch_bytes", result->arena.scratch_bytes);
  text_u64(&out, "arena_persistent_bytes", result->arena.persistent_bytes);
  text_u64(&out, "arena_bound_bytes", result->arena.bound_bytes);
  text_string(&out, "arena_plan", result->arena.plan);
  text_u64(&out, "arena_exact", result->arena.exact);
  return out.length;
}

static size_t trial_lines(const bench_trial *trial) {
  text out;
  text_begin(&out, answer, sizeof answer);
  text_u64(&out, "status", trial->status);
  text_u64(&out, "intact", trial->intact);
  text_u64(&out, "arena_used_bytes", trial->used_bytes);
  text_u64(&out, "output_bytes", trial->output_bytes);
  text_u64(&out, "output_crc32", trial->output_crc32);
  return out.length;
}

/* The operators' names, one a line. */
static size_t operator_names(const bench_result *result) {
  size_t length = 0;
  for (uint32_t i = 0; i < result->operator_count; i++) {
    const char *name = runtime_operator_name(i);
    const size_t count = strlen(name);
    if (length + count + 1u > sizeof answer) {
      break;
    }
    memcpy(answer + length, name, count);
    length += count;
    answer[length++] = '\n';
  }
  return length;
}

static const void *readable(uint8_t what, size_t *total) {
  const bench_result *result = bench_last();
  switch (what) {
  case READ_SAMPLES:
    *total = result->sample_count * sizeof result->samples[0];
    return result->samples;
  case READ_MARKS:
    *total = result->operator_count > BENCH_OPERATORS_MAX
                 ? 0
                 : (result->operator_count + 1u) * sizeof result->marks[0];
    return result->marks;
  case READ_OPERATORS:
    *total = operator_names(result);
    return answer;
  case READ_OUTPUT:
    return runtime_output(total);
  case READ_SUMMARY:
    *total = summary(result);
    return answer;
  case READ_TRIAL:
    *total = trial_lines(bench_last_trial());
    return answer;
  default:
    return NULL;
  }
}

static void read_back(const wire_request *request) {
  static uint8_t chunk[9u + 1024u];
  const uint8_t what = request->payload[0];
  const uint32_t offset = wire_u32(request->payload + 1);
  size_t total = 0;
  const bool valid = what == READ_TRIAL ? bench_last_trial()->valid : bench_last()->valid;
  const uint8_t *bytes = valid ? readable(what, &total) : NULL;
  if (bytes == NULL || offset > total) {
    wire_send_error(request->sequence, WIRE_ERROR_NOTHING_TO_READ, "nothing to read there");
    return;
  }
  const size_t count = total - offset < sizeof chunk - 9u ? total - offset : sizeof chunk - 9u;
  chunk[0] = what;
  wire_put_u32(chunk + 1, offset);
  wire_put_u32(chunk + 5, (uint32_t)total);
  memcpy(chunk + 9, bytes + offset, count);
  wire_send(WIRE_DATA, request->sequence, chunk, 9u + count);
}

static void serve(const wire_request *request) {
  static const struct {
    uint8_t type, length; /* without the order */
    bool takes_order;
    void (*act)(const wire_request *);
  } commands[] = {
      {WIRE_HELLO, 4, false, send_info},
      {WIRE_MEASURE, MEASURE_LENGTH, true, measure},
      {WIRE_TRY, TRY_LENGTH, true, try_arena},
      {WIRE_READ, 5, false, read_back},
  };
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    const uint32_t length = commands[i].length, most = commands[i].takes_order ? 2u * WIRE_ORDER_MAX : 0u;
    if (commands[i].type == request->type && request->length >= length && request->length - length <= most &&
        (request->length - length) % 2u == 0) {
      commands[i].act(request);
      return;
    }
  }
  wire_send_error(request->sequence, WIRE_ERROR_REQUEST, "unknown request, or of the wrong size");
}

int main(void) {
  board_init();
  board_set_stage(BENCH_STAGE_IDLE);
  fault_known = board_take_fault(&fault);
  wire_send(WIRE_BOOT, 0, NULL, 0);
  for (;;) {
    wire_request request;
    if (wire_receive(&request) != WIRE_RECEIVED) {
      wire_send_error(0, WIRE_ERROR_FRAME, "broken frame");
    } else if (request.type == WIRE_RESET) {
      board_flush();
      board_reset();
    } else {
      serve(&request);
    }
  }
}
