/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the built-in runtime on the host: `rt_run ARENA_BYTES[+OFFSET] INPUT MODEL... > OUTPUTS`.
 *
 * Model and arena are heap blocks of exactly their size, so that a sanitizer sees the first byte beyond them.
 * The arena starts OFFSET bytes into its block. Each model gives one line on standard error, "STATUS OPERATOR
 * NEEDED TEXT", and, if it ran, its output bytes on standard output. Exit code 0 whatever the runtime said; 2
 * for wrong use. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime_api.h"

typedef struct {
  uint8_t *bytes;
  size_t size;
} content;

static content read_file(const char *path) {
  content file = {NULL, 0};
  FILE *stream = fopen(path, "rb");
  if (stream == NULL || fseek(stream, 0, SEEK_END) != 0) {
    fprintf(stderr, "cannot read %s\n", path);
    exit(2);
  }
  file.size = (size_t)ftell(stream);
  rewind(stream);
  file.bytes = malloc(file.size == 0 ? 1 : file.size);
  if (file.bytes == NULL || fread(file.bytes, 1, file.size, stream) != file.size) {
    exit(2);
  }
  fclose(stream);
  return file;
}

static runtime_status run(const content *model, const content *input, uint8_t *arena, size_t arena_bytes,
                          runtime_error *error) {
  size_t input_bytes, output_bytes;
  if (runtime_open(model->bytes, model->size, arena, arena_bytes, error) != RUNTIME_OK) {
    return error->status;
  }
  int8_t *place = runtime_input(&input_bytes);
  for (size_t i = 0; i < input_bytes; ++i) {
    place[i] = input->size == 0 ? 0 : (int8_t)input->bytes[i % input->size];
  }
  if (runtime_invoke(NULL, NULL, error) == RUNTIME_OK) {
    const int8_t *output = runtime_output(&output_bytes);
    fwrite(output, 1, output_bytes, stdout);
  }
  return error->status;
}

int main(int count, char **arguments) {
  if (count < 4) {
    fprintf(stderr, "use: rt_run ARENA_BYTES[+OFFSET] INPUT MODEL...\n");
    return 2;
  }
  char *rest;
  const size_t arena_bytes = strtoul(arguments[1], &rest, 10);
  const size_t offset = strtoul(rest, NULL, 10);
  const content input = read_file(arguments[2]);
  for (int i = 3; i < count; ++i) {
    runtime_error error;
    const content model = read_file(arguments[i]);
    uint8_t *arena = malloc(offset + arena_bytes);
    const runtime_status status = run(&model, &input, arena + offset, arena_bytes, &error);
    fprintf(stderr, "%d %d %u %s\n", (int)status, (int)error.operator_index, (unsigned)error.needed_bytes,
            error.text);
    free(arena);
    free(model.bytes);
  }
  free(input.bytes);
  return 0;
}
