/* SPDX-License-Identifier: Apache-2.0 */
/* What this image is and which models it carries: rendered by the host for each build. */
#ifndef IMAGE_H
#define IMAGE_H

#include <stddef.h>
#include <stdint.h>

extern const char image_board_id[];
extern const char image_port[];
extern const char image_firmware_hash[]; /* everything but the models */
extern const char image_hash[];          /* firmware and models */
extern const char image_flags[];         /* the compiler's flags */
extern const uint32_t image_baud;

typedef struct {
  const char *sha256; /* of the flatbuffer, 64 hex digits */
  const uint8_t *data;
  size_t size;
} image_model;

extern const image_model image_models[];
extern const uint32_t image_model_count;

#endif
