/* SPDX-License-Identifier: Apache-2.0 */
/* Where everything of the one open model lies.
 *
 * The arena, from its first to its last byte:
 *
 *   | alignment | tensors and scratch, as planned | free | operators' state <- | buffers | operators |
 *
 * What is kept in it has offsets instead of pointers and nothing wider than 32 bits, so that its layout on a
 * 64-bit host is the layout on the device, and the arena use computed there is the device's, to the byte. */
#ifndef RT_ARENA_H
#define RT_ARENA_H

#include <string.h>

#include "rt_flatbuffer.h"
#include "runtime_api.h"

#define RT_NONE UINT32_MAX             /* no tensor, no operator */
#define RT_MAX_PLACE (UINT32_MAX >> 2) /* offsets are kept in 30 bits */
#define RT_NEVER UINT16_MAX            /* instead of an operator: nothing writes it */

enum { RT_ALIGNMENT = RUNTIME_ARENA_STEP };

enum rt_place {
  RT_UNPLACED, /* not planned, or never used; until then `at` holds what is offered (rt_share.h) */
  RT_IN_ARENA,
  RT_IN_MODEL, /* a constant: read where it lies, in flash */
  RT_ALIAS,    /* until it is planned: shares the bytes of another buffer, whose index is in `at` */
};

/* A tensor, or an operator's scratch memory. Buffer i is tensor i; behind them comes one scratch per
 * operator. */
typedef struct {
  uint32_t place : 2;
  uint32_t at : 30; /* offset from the arena's base or the flatbuffer's start */
  uint32_t bytes;
  uint16_t first, last; /* operators that write it first and read it last; RT_NEVER until written */
} rt_buffer;
_Static_assert(sizeof(rt_buffer) == 12, "there is one for each tensor, so every byte counts");

typedef struct {
  uint32_t kernel; /* index into rt_kernels */
  uint32_t state;  /* what its prepare kept: offset from the arena's base */
} rt_operator;

typedef struct {
  rt_flatbuffer file;
  rt_vector tensors, operators, codes, data; /* tables of the flatbuffer */
  uint8_t *arena;                            /* aligned base */
  uint32_t arena_bytes;                      /* from the base, a multiple of the alignment */
  uint32_t lost_bytes;                       /* before the base */
  uint32_t kept_bytes;                  /* at the arena's end; may exceed it while counting what is needed */
  uint32_t tensor_bytes, scratch_bytes; /* at the arena's start */
  uint32_t bound_bytes;                 /* the most that must live at once: no plan has less */
  uint32_t wanted_bytes;                /* of all tensors and scratch side by side: an upper bound */
  uint32_t input, output;               /* tensors */
  const uint16_t *order;                /* a hint from the host; NULL if there is none */
  uint32_t order_count;
  const char *plan; /* which one was taken */
  rt_buffer *buffers;
  rt_operator *running; /* operators, in order of execution */
} rt_model;

/* a + b, at most what an offset can say. */
static inline uint32_t rt_add_capped(uint32_t a, uint32_t b) {
  return a < RT_MAX_PLACE && b < RT_MAX_PLACE - a ? a + b : RT_MAX_PLACE;
}

static inline uint32_t rt_align(uint32_t bytes) { return (bytes + RT_ALIGNMENT - 1) & ~(RT_ALIGNMENT - 1U); }

/* The functions below are rt_arena.c's, which all call but rt_model.c: that inlines them. What is inlined
 * where decides the machine code, and so the cycles; it is written down here, and no compiler's choice. */
#ifndef RT_ARENA_LINKAGE

/* Tensors that an operator reads or writes: field is RT_OPERATOR_INPUTS or RT_OPERATOR_OUTPUTS. */
rt_vector rt_arena_tensors(rt_model *model, uint32_t index, uint32_t field);

/* Count a tensor's or a scratch memory's bytes into wanted_bytes. */
void rt_arena_want(rt_model *model, uint32_t bytes);

/* Zeroed memory that lives as long as the model; NULL if the arena is too small (it is counted all the same).
 */
void *rt_arena_keep(rt_model *model, uint32_t bytes);

#else

RT_ARENA_LINKAGE rt_vector rt_arena_tensors(rt_model *model, uint32_t index, uint32_t field) {
  return rt_field_vector(&model->file, rt_vector_table(&model->file, model->operators, index), field, 4);
}

RT_ARENA_LINKAGE void rt_arena_want(rt_model *model, uint32_t bytes) {
  model->wanted_bytes = rt_add_capped(model->wanted_bytes, rt_align(bytes));
}

RT_ARENA_LINKAGE void *rt_arena_keep(rt_model *model, uint32_t bytes) {
  model->kept_bytes = rt_add_capped(model->kept_bytes, (bytes + 3) & ~3U);
  if (model->kept_bytes > model->arena_bytes) {
    return NULL;
  }
  uint8_t *state = model->arena + model->arena_bytes - model->kept_bytes;
  memset(state, 0, bytes);
  return state;
}

#endif

/* Bytes of a planned buffer or a constant. */
static inline const void *rt_model_data(const rt_model *model, uint32_t index) {
  const rt_buffer *buffer = &model->buffers[index];
  return (buffer->place == RT_IN_MODEL ? model->file.bytes : model->arena) + buffer->at;
}

/* Bytes of a planned buffer that is no constant. */
static inline void *rt_model_buffer(const rt_model *model, uint32_t index) {
  return model->arena + model->buffers[index].at;
}

/* What it got: at least what was asked for, with rt_stretch often more. */
static inline uint32_t rt_model_buffer_bytes(const rt_model *model, uint32_t index) {
  return model->buffers[index].bytes;
}

#endif
