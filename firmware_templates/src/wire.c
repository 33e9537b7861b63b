/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include "board_api.h"
#include "crc32.h"

#include <string.h>

#define HEADER_BYTES 4u
#define CRC_BYTES 4u
#define BODY_MAX (HEADER_BYTES + WIRE_REQUEST_MAX + CRC_BYTES)
#define COBS_BLOCK 254u

uint16_t wire_u16(const uint8_t *bytes) { return (uint16_t)(bytes[0] | bytes[1] << 8); }

uint32_t wire_u32(const uint8_t *bytes) { return wire_u16(bytes) | (uint32_t)wire_u16(bytes + 2) << 16; }

void wire_put_u32(uint8_t *bytes, uint32_t value) {
  for (unsigned i = 0; i < 4u; i++) {
    bytes[i] = (uint8_t)(value >> 8u * i);
  }
}

/* COBS decoding, in place. Returns the number of bytes, or 0 for what is no COBS. */
static size_t cobs_decode(uint8_t *bytes, size_t count) {
  size_t in = 0, out = 0;
  while (in < count) {
    const size_t code = bytes[in++];
    if (code == 0 || in + code - 1u > count) {
      return 0;
    }
    memmove(bytes + out, bytes + in, code - 1u);
    in += code - 1u;
    out += code - 1u;
    if (code != COBS_BLOCK + 1u && in < count) {
      bytes[out++] = 0;
    }
  }
  return out;
}

static wire_result parse(uint8_t *bytes, size_t count, wire_request *request) {
  const size_t body = cobs_decode(bytes, count);
  if (body < HEADER_BYTES + CRC_BYTES) {
    return WIRE_BROKEN;
  }
  const size_t length = wire_u16(bytes);
  if (length + HEADER_BYTES + CRC_BYTES != body) {
    return WIRE_BROKEN;
  }
  const uint32_t crc = crc32_value(crc32_update(CRC32_INITIAL, bytes, HEADER_BYTES + length));
  if (crc != wire_u32(bytes + HEADER_BYTES + length)) {
    return WIRE_BROKEN;
  }
  request->length = (uint16_t)length;
  request->type = bytes[2];
  request->sequence = bytes[3];
  request->payload = bytes + HEADER_BYTES;
  return WIRE_RECEIVED;
}

wire_result wire_receive(wire_request *request) {
  static uint8_t buffer[BODY_MAX + BODY_MAX / COBS_BLOCK + 1u]; /* COBS adds one byte per started 254 */
  size_t count = 0;
  for (;;) {
    const uint8_t byte = (uint8_t)board_getc();
    if (byte != 0) {
      if (count < sizeof buffer) {
        buffer[count] = byte;
      }
      count++; /* a frame that is too long is counted to its end, then dropped */
    } else if (count > 0) {
      return count <= sizeof buffer ? parse(buffer, count, request) : WIRE_BROKEN;
    }
  }
}

/* The COBS block that is being filled: a code byte, then up to 254 bytes that are not zero. */
static uint8_t block[COBS_BLOCK + 1u];
static size_t block_length;

static void block_end(void) {
  block[0] = (uint8_t)(block_length + 1u);
  board_write(block, block_length + 1u);
  block_length = 0;
}

static uint32_t put(uint32_t crc, const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (block_length == COBS_BLOCK) {
      block_end();
    }
    if (bytes[i] == 0) {
      block_end();
    } else {
      block[1u + block_length++] = bytes[i];
    }
  }
  return crc32_update(crc, bytes, count);
}

void wire_send(uint8_t type, uint8_t sequence, const void *payload, size_t length) {
  static const uint8_t delimiter = 0;
  const uint8_t header[HEADER_BYTES] = {(uint8_t)length, (uint8_t)(length >> 8), type, sequence};
  uint8_t crc_bytes[CRC_BYTES];
  block_length = 0;
  uint32_t crc = put(CRC32_INITIAL, header, sizeof header);
  crc = put(crc, payload, length);
  wire_put_u32(crc_bytes, crc32_value(crc));
  (void)put(crc, crc_bytes, sizeof crc_bytes);
  block_end();
  board_write(&delimiter, 1);
}

void wire_send_error(uint8_t sequence, uint16_t code, const char *text) {
  uint8_t payload[2u + 128u] = {(uint8_t)code, (uint8_t)(code >> 8)};
  size_t length = strlen(text);
  if (length > sizeof payload - 2u) {
    length = sizeof payload - 2u;
  }
  memcpy(payload + 2, text, length);
  wire_send(WIRE_ERROR, sequence, payload, 2u + length);
}

void wire_log(const char *text) { wire_send(WIRE_LOG, 0, text, strlen(text)); }
