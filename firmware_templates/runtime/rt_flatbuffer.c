/* SPDX-License-Identifier: Apache-2.0 */
/* Format: https://flatbuffers.dev/internals/ (little-endian, as is every core this runs on). */
#include "rt_flatbuffer.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "flatbuffers are read without swapping bytes");

/* memcpy instead of a cast: offsets in a broken file need not be aligned; it compiles to one load. */
static void read_bytes(rt_flatbuffer *buffer, uint32_t at, void *value, uint32_t count) {
  if (count > buffer->size || at > buffer->size - count) {
    buffer->broken = true;
    memset(value, 0, count);
  } else {
    memcpy(value, buffer->bytes + at, count);
  }
}

uint8_t rt_read_u8(rt_flatbuffer *buffer, uint32_t at) {
  uint8_t value;
  read_bytes(buffer, at, &value, sizeof value);
  return value;
}

static uint16_t read_u16(rt_flatbuffer *buffer, uint32_t at) {
  uint16_t value;
  read_bytes(buffer, at, &value, sizeof value);
  return value;
}

uint32_t rt_read_u32(rt_flatbuffer *buffer, uint32_t at) {
  uint32_t value;
  read_bytes(buffer, at, &value, sizeof value);
  return value;
}

int32_t rt_read_i32(rt_flatbuffer *buffer, uint32_t at) {
  int32_t value;
  read_bytes(buffer, at, &value, sizeof value);
  return value;
}

int64_t rt_read_i64(rt_flatbuffer *buffer, uint32_t at) {
  int64_t value;
  read_bytes(buffer, at, &value, sizeof value);
  return value;
}

float rt_read_f32(rt_flatbuffer *buffer, uint32_t at) {
  float value;
  read_bytes(buffer, at, &value, sizeof value);
  return value;
}

/* Follow an unsigned offset stored at a position, relative to that position. */
static uint32_t follow(rt_flatbuffer *buffer, uint32_t at) {
  const uint32_t offset = rt_read_u32(buffer, at);
  if (offset == 0 || offset >= buffer->size || at >= buffer->size - offset) {
    buffer->broken = true;
    return 0;
  }
  return at + offset;
}

uint32_t rt_read_root(rt_flatbuffer *buffer) { return follow(buffer, 0); }

uint32_t rt_read_field(rt_flatbuffer *buffer, uint32_t table, uint32_t field) {
  if (table == 0) {
    return 0; /* an absent table has only defaults */
  }
  const int64_t vtable = (int64_t)table - rt_read_i32(buffer, table);
  if (vtable < 0 || vtable >= buffer->size) {
    buffer->broken = true;
    return 0;
  }
  const uint32_t entry = 4 + 2 * field; /* behind the sizes of vtable and table */
  if (entry + 2 > read_u16(buffer, (uint32_t)vtable)) {
    return 0; /* written by a schema that did not know the field */
  }
  const uint32_t offset = read_u16(buffer, (uint32_t)vtable + entry);
  return offset == 0 ? 0 : table + offset;
}

uint8_t rt_field_u8(rt_flatbuffer *buffer, uint32_t table, uint32_t field, uint8_t otherwise) {
  const uint32_t at = rt_read_field(buffer, table, field);
  return at == 0 ? otherwise : rt_read_u8(buffer, at);
}

int32_t rt_field_i32(rt_flatbuffer *buffer, uint32_t table, uint32_t field, int32_t otherwise) {
  const uint32_t at = rt_read_field(buffer, table, field);
  return at == 0 ? otherwise : rt_read_i32(buffer, at);
}

float rt_field_f32(rt_flatbuffer *buffer, uint32_t table, uint32_t field, float otherwise) {
  const uint32_t at = rt_read_field(buffer, table, field);
  return at == 0 ? otherwise : rt_read_f32(buffer, at);
}

uint32_t rt_field_table(rt_flatbuffer *buffer, uint32_t table, uint32_t field) {
  const uint32_t at = rt_read_field(buffer, table, field);
  return at == 0 ? 0 : follow(buffer, at);
}

rt_vector rt_field_vector(rt_flatbuffer *buffer, uint32_t table, uint32_t field, uint32_t element_bytes) {
  const rt_vector empty = {0, 0};
  const uint32_t at = rt_field_table(buffer, table, field);
  if (at == 0) {
    return empty;
  }
  const uint32_t count = rt_read_u32(buffer, at);
  if (buffer->broken || count > (buffer->size - at - 4) / element_bytes) {
    buffer->broken = true;
    return empty;
  }
  return (rt_vector){at + 4, count};
}

uint32_t rt_vector_table(rt_flatbuffer *buffer, rt_vector vector, uint32_t index) {
  if (index >= vector.count) {
    buffer->broken = true;
    return 0;
  }
  return follow(buffer, vector.at + 4 * index);
}

int32_t rt_vector_i32(rt_flatbuffer *buffer, rt_vector vector, uint32_t index) {
  if (index >= vector.count) {
    buffer->broken = true;
    return 0;
  }
  return rt_read_i32(buffer, vector.at + 4 * index);
}
