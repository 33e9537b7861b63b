/* SPDX-License-Identifier: Apache-2.0 */
/* The seam between the benchmark loop and a runtime: runtime/ (built in) and, later, runtime_tflm/. */
#ifndef RUNTIME_API_H
#define RUNTIME_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  RUNTIME_OK = 0,
  RUNTIME_BAD_MODEL = 1,            /* not a flatbuffer, or one that breaks its own rules */
  RUNTIME_UNSUPPORTED_OPERATOR = 2, /* no kernel, or none for these types and options */
  RUNTIME_ARENA_TOO_SMALL = 3,
  RUNTIME_INVOKE_FAILED = 4,
} runtime_status;

/* Why the last call failed. Plain text, one line, names the operator or the number of bytes. */
typedef struct {
  runtime_status status;
  int32_t operator_index; /* -1 if no operator is to blame */
  uint32_t needed_bytes;  /* RUNTIME_ARENA_TOO_SMALL: what would do */
  char text[96];
} runtime_error;

/* Called before the first and after each operator of a profiled run: index counts operators done so far. */
typedef void (*runtime_probe)(void *context, uint32_t operators_done);

/* What a runtime says of itself. */
const char *runtime_name(void);     /* "builtin" or "tflm" */
const char *runtime_revision(void); /* a version or commit */
const char *runtime_kernels(void);  /* "plain", "dsp", "cmsis-nn": what is really linked */

/* Prepare a model in the arena. One model is open at a time; opening another closes it. Nothing outside the
 * arena_size bytes is written. The flatbuffer stays where it is and is read in place; it must be 4-byte
 * aligned. */
runtime_status runtime_open(const uint8_t *model, size_t size, uint8_t *arena, size_t arena_size,
                            runtime_error *error);
/* One inference. probe may be NULL. The input's bytes may be overwritten by it. */
runtime_status runtime_invoke(runtime_probe probe, void *context, runtime_error *error);

int8_t *runtime_input(size_t *bytes);
const int8_t *runtime_output(size_t *bytes);
uint32_t runtime_operator_count(void);
const char *runtime_operator_name(uint32_t index); /* TFLite's name, e.g. "CONV_2D" */

enum { RUNTIME_ARENA_STEP = 16 }; /* bytes */

/* Bytes of the arena in use, interpreter's own state included, and how they divide. */
typedef struct {
  uint32_t used_bytes;       /* = tensor + scratch + persistent + alignment losses */
  uint32_t tensor_bytes;     /* activations, after planning */
  uint32_t scratch_bytes;    /* kernels' working memory */
  uint32_t persistent_bytes; /* prepared operators, tensors' descriptions */
  uint32_t bound_bytes;      /* no plan has less than this for tensors and scratch; 0 if it cannot say */
  const char *plan;          /* how tensors and scratch were placed: "greedy", "offline", … */
  bool exact; /* used_bytes is what runtime_open needs, one RUNTIME_ARENA_STEP less is refused; if it is
               * false, the host finds the smallest arena that works by trying */
} runtime_arena;
void runtime_arena_use(runtime_arena *use);

/* A hint for the next runtime_open, forgotten by it: the order in which to place tensors and scratch memories
 * in the arena, as found offline by the host. Advice, never trusted: whatever it says, the plan is a valid
 * one, and the runtime takes its own if that is not larger. A runtime that plans otherwise does nothing here.
 * `order` is read during runtime_open. */
void runtime_set_order(const uint16_t *order, uint32_t count);

#endif
