/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a flatbuffer in place and trusts nothing in it.
 *
 * Positions are byte offsets from the start of the buffer; 0 (the root offset, never a value) means "absent".
 * A read outside the buffer gives 0 and marks the buffer as broken: the mark stays, so a caller may read a
 * whole group of values and look at it once. */
#ifndef RT_FLATBUFFER_H
#define RT_FLATBUFFER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  const uint8_t *bytes;
  uint32_t size;
  bool broken;
} rt_flatbuffer;

typedef struct {
  uint32_t at; /* of the first element */
  uint32_t count;
} rt_vector;

/* Values at a position. */
uint8_t rt_read_u8(rt_flatbuffer *buffer, uint32_t at);
uint32_t rt_read_u32(rt_flatbuffer *buffer, uint32_t at);
int32_t rt_read_i32(rt_flatbuffer *buffer, uint32_t at);
int64_t rt_read_i64(rt_flatbuffer *buffer, uint32_t at);
float rt_read_f32(rt_flatbuffer *buffer, uint32_t at);

/* The root table. */
uint32_t rt_read_root(rt_flatbuffer *buffer);

/* Position of a field's value in a table; 0 if the table leaves it at its default. */
uint32_t rt_read_field(rt_flatbuffer *buffer, uint32_t table, uint32_t field);

/* Fields by type, with the schema's default. */
uint8_t rt_field_u8(rt_flatbuffer *buffer, uint32_t table, uint32_t field, uint8_t otherwise);
int32_t rt_field_i32(rt_flatbuffer *buffer, uint32_t table, uint32_t field, int32_t otherwise);
float rt_field_f32(rt_flatbuffer *buffer, uint32_t table, uint32_t field, float otherwise);
uint32_t rt_field_table(rt_flatbuffer *buffer, uint32_t table, uint32_t field);

/* A vector whose elements all lie inside the buffer; empty if absent or broken. */
rt_vector rt_field_vector(rt_flatbuffer *buffer, uint32_t table, uint32_t field, uint32_t element_bytes);

/* Element of a vector of tables, or of 32-bit integers. An index outside breaks the buffer. */
uint32_t rt_vector_table(rt_flatbuffer *buffer, rt_vector vector, uint32_t index);
int32_t rt_vector_i32(rt_flatbuffer *buffer, rt_vector vector, uint32_t index);

#endif
