/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds the runtime broken models: `rt_fuzz SEED FIRST COUNT MODEL...`; built with sanitizers, which end it
 * at the first wrong step. Prints how many inputs ended with which status.
 *
 * Inputs are good models with a few changes. Most changes strike what the reader looks at: while a good model
 * is opened, every read of the flatbuffer is noted with its width, so offsets, lengths, table entries,
 * shapes, types and scales are hit, not weights. Each input is a heap block of exactly its size, and so is
 * each arena. Input i of a seed is always the same one. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime_api.h"

static void *note_and_copy(void *to, const void *from, size_t count);
#define memcpy note_and_copy
#include "../runtime/rt_flatbuffer.c"
#undef memcpy

enum {
  MAX_MODELS = 256,
  MAX_READS = 1 << 16,
  STATUSES = RUNTIME_INVOKE_FAILED + 1,
  ARENA_BYTES = 16 * 1024, /* bounds the work of what is run */
  HANG_S = 60,
};

typedef struct {
  uint32_t at, bytes;
} read_place;

typedef struct {
  uint8_t *bytes;
  uint32_t size;
  read_place *reads;
  uint32_t read_count;
  uint32_t used_bytes; /* of the arena */
} seed_model;

static seed_model models[MAX_MODELS];
static seed_model *noting; /* NULL while fuzzing */
static unsigned long current_seed, current_input;

static void *note_and_copy(void *to, const void *from, size_t count) {
  if (noting != NULL && noting->read_count < MAX_READS) {
    const uint32_t at = (uint32_t)((const uint8_t *)from - noting->bytes);
    noting->reads[noting->read_count++] = (read_place){at, (uint32_t)count};
  }
  return memcpy(to, from, count);
}

/* splitmix64 (S. Vigna, https://prng.di.unimi.it/splitmix64.c, public domain): the next of a sequence. */
static uint64_t state;
static uint32_t draw(uint32_t below) {
  uint64_t z = (state += 0x9E3779B97F4A7C15u);
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return (uint32_t)((z ^ z >> 31) >> 32) % below;
}

static uint64_t draw_value(uint64_t old, uint32_t size) {
  static const uint64_t edges[] = {
      0,          1,        2,        0x7F,       0x80,       0xFF,        0x7FFF,          0x8000,    0xFFFF,
      0x7FFFFFFF, 1u << 28, 1u << 29, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFFF, UINT64_MAX >> 1, UINT64_MAX};
  switch (draw(6)) {
  case 0:
    return edges[draw(sizeof edges / sizeof edges[0])];
  case 1:
    return old + draw(9) - 4;
  case 2:
    return old ^ (uint64_t)1 << draw(64);
  case 3:
    return draw(16);
  case 4:
    return draw(size + 8);
  default:
    return (uint64_t)draw(UINT32_MAX) << 32 | draw(UINT32_MAX);
  }
}

/* Change one value that the reader looks at: to another, to that of another place, or to point there. */
static void change_read(const seed_model *model, uint8_t *bytes) {
  const uint32_t index = draw(model->read_count), near = index + draw(65);
  const read_place *place = &model->reads[index];
  /* What was read about the same time is likely to be of the same kind. */
  const bool is_near = draw(2) == 0 && near >= 32 && near - 32 < model->read_count;
  const read_place *other = &model->reads[is_near ? near - 32 : draw(model->read_count)];
  uint64_t value = 0;
  memcpy(&value, bytes + place->at, place->bytes);
  const uint32_t kind = draw(4);
  if (kind == 0) {
    value = 0;
    memcpy(&value, bytes + other->at, other->bytes);
  } else if (kind == 1) {
    value = (uint32_t)(other->at - place->at);
  } else {
    value = draw_value(value, model->size);
  }
  memcpy(bytes + place->at, &value, place->bytes);
}

static void change_any(uint8_t *bytes, uint32_t size) {
  const uint32_t at = draw(size);
  const uint64_t value = draw_value(bytes[at], size);
  const uint32_t count = size - at < 4 ? size - at : 1u << draw(3);
  memcpy(bytes + at, &value, count);
}

/* A heap block of exactly its size, as the input. */
static uint8_t *make_input(const seed_model *model, uint32_t *size) {
  *size = draw(16) == 0 ? draw(model->size + 1) : model->size;
  uint8_t *bytes = malloc(model->size);
  if (bytes == NULL) {
    exit(2);
  }
  memcpy(bytes, model->bytes, model->size);
  for (uint32_t changes = 1 + draw(4); changes > 0; --changes) {
    if (draw(8) == 0) {
      change_any(bytes, model->size);
    } else {
      change_read(model, bytes);
    }
  }
  if (*size == model->size) {
    return bytes;
  }
  uint8_t *cut = malloc(*size == 0 ? 1 : *size); /* realloc may leave slack behind the end */
  if (cut == NULL) {
    exit(2);
  }
  memcpy(cut, bytes, *size);
  free(bytes);
  return cut;
}

static void check(bool holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "%s\n", what);
    abort();
  }
}

/* A model that was accepted must run, and what it says of its memory must be true. */
static void check_accepted(const uint8_t *arena, uint32_t arena_bytes) {
  runtime_error error;
  runtime_arena use;
  size_t input_bytes, output_bytes;
  int8_t *input = runtime_input(&input_bytes);
  memset(input, 0x35, input_bytes);
  check(runtime_invoke(NULL, NULL, &error) == RUNTIME_OK, "an open model does not run");
  const uint8_t *output = (const uint8_t *)runtime_output(&output_bytes);
  check(output >= arena && output + output_bytes <= arena + arena_bytes, "the output is not in the arena");
  runtime_arena_use(&use);
  check(use.used_bytes <= arena_bytes, "more of the arena is used than there is");
  check(use.bound_bytes <= use.tensor_bytes + use.scratch_bytes, "a plan below the lower bound");
}

static runtime_status try_input(const uint8_t *bytes, uint32_t size, uint32_t arena_bytes) {
  uint16_t order[32];
  runtime_error error;
  const uint32_t offset = draw(8) == 0 ? draw(RUNTIME_ARENA_STEP) : 0;
  uint8_t *block = malloc(offset + arena_bytes + (offset + arena_bytes == 0));
  if (block == NULL) {
    exit(2);
  }
  uint8_t *arena = block + offset;
  if (draw(4) == 0) {
    for (uint32_t i = 0; i < 32; ++i) {
      order[i] = (uint16_t)draw(draw(8) == 0 ? 65536 : 32);
    }
    runtime_set_order(order, 1 + draw(32));
  }
  const runtime_status status = runtime_open(bytes, size, arena, arena_bytes, &error);
  check((status == RUNTIME_OK) == (error.text[0] == '\0'), "a refusal without a reason");
  if (status == RUNTIME_OK) {
    check_accepted(arena, arena_bytes);
  }
  free(block);
  return status;
}

static runtime_status fuzz(uint32_t count, unsigned long input) {
  state = current_seed * 0x100000001B3u ^ (uint64_t)input * 0xD6E8FEB86659FD93u;
  const seed_model *model = &models[draw(count)];
  const uint32_t steps = draw(8), slack = RUNTIME_ARENA_STEP * draw(4);
  const uint32_t arena_bytes = steps == 0   ? draw(model->used_bytes + 1)
                               : steps == 1 ? model->used_bytes + slack
                                            : ARENA_BYTES;
  uint32_t size;
  uint8_t *bytes = make_input(model, &size);
  const runtime_status status = try_input(bytes, size, arena_bytes);
  free(bytes);
  return status;
}

/* Read a good model, and note what the reader looks at while it is opened. */
static void load(seed_model *model, const char *path) {
  static uint8_t arena[ARENA_BYTES] __attribute__((aligned(16)));
  runtime_error error;
  runtime_arena use;
  FILE *stream = fopen(path, "rb");
  if (stream == NULL || fseek(stream, 0, SEEK_END) != 0) {
    fprintf(stderr, "cannot read %s\n", path);
    exit(2);
  }
  model->size = (uint32_t)ftell(stream);
  rewind(stream);
  model->bytes = malloc(model->size);
  model->reads = malloc(MAX_READS * sizeof *model->reads);
  if (model->bytes == NULL || model->reads == NULL ||
      fread(model->bytes, 1, model->size, stream) != model->size) {
    exit(2);
  }
  fclose(stream);
  noting = model;
  if (runtime_open(model->bytes, model->size, arena, sizeof arena, &error) != RUNTIME_OK) {
    fprintf(stderr, "%s: %s\n", path, error.text);
    exit(2);
  }
  noting = NULL;
  runtime_arena_use(&use);
  model->used_bytes = use.used_bytes;
}

static void tell_which(void) {
  fprintf(stderr, "while at input %lu of seed %lu\n", current_input, current_seed);
}

static void end(int signal_number) {
  tell_which();
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

#if defined(__SANITIZE_ADDRESS__)
void __sanitizer_set_death_callback(void (*callback)(void));
#else
static void __sanitizer_set_death_callback(void (*callback)(void)) { (void)callback; }
#endif

int main(int count, char **arguments) {
  unsigned long statuses[STATUSES] = {0};
  const int model_count = count - 4;
  if (model_count < 1 || model_count > MAX_MODELS) {
    fprintf(stderr, "use: rt_fuzz SEED FIRST COUNT MODEL...\n");
    return 2;
  }
  current_seed = strtoul(arguments[1], NULL, 10);
  const unsigned long first = strtoul(arguments[2], NULL, 10), inputs = strtoul(arguments[3], NULL, 10);
  for (int i = 0; i < model_count; ++i) {
    load(&models[i], arguments[4 + i]);
  }
  __sanitizer_set_death_callback(tell_which);
  signal(SIGALRM, end);
  signal(SIGABRT, end);
  for (current_input = first; current_input < first + inputs; ++current_input) {
    if (current_input % 64 == 0) {
      alarm(HANG_S);
    }
    ++statuses[fuzz((uint32_t)model_count, current_input)];
  }
  for (int i = 0; i < STATUSES; ++i) {
    printf("%lu ", statuses[i]);
  }
  printf("\n");
  for (int i = 0; i < model_count; ++i) {
    free(models[i].bytes);
    free(models[i].reads);
  }
  return 0;
}
