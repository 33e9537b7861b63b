/* SPDX-License-Identifier: Apache-2.0 */
/* The wire protocol. A frame is COBS(body) followed by one zero byte; integers are little-endian.
 *
 *   body = length u16 | type u8 | sequence u8 | payload[length] | crc32 u32 over all before it
 *
 * The host asks, the device answers with the same sequence number; every request may be repeated. A log frame
 * may stand anywhere between answers. Bytes that form no frame are noise and are dropped.
 *
 *   host -> device                               device -> host
 *   HELLO   nonce u32                            INFO   "key=value\n" lines, the nonce among them
 *   MEASURE model u16, warmup u16, runs u16,     STARTED (nothing is sent from here to DONE)
 *           input seed u32, order u16...         DONE   - (the results wait for READ)
 *   TRY     model u16, input seed u32,           STARTED
 *           arena bytes u32, order u16...        DONE   - (what came of it waits for READ)
 *   READ    what u8, offset u32                  DATA   what u8, offset u32, total u32, bytes
 *   RESET   -                                    (the device starts anew)
 *                                                ERROR  code u16, text
 *                                                LOG    text
 *                                                BOOT   - (once, after every start)
 *
 * TRY opens a model in an arena of just that size and runs it once. order is what runtime_set_order takes; it
 * may be left out. */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_PROTOCOL 3u
#define WIRE_ORDER_MAX 256u /* buffers that a request can order */
#define WIRE_REQUEST_MAX (16u + 2u * WIRE_ORDER_MAX)

typedef enum {
  WIRE_HELLO = 0x01,
  WIRE_MEASURE = 0x02,
  WIRE_READ = 0x03,
  WIRE_RESET = 0x04,
  WIRE_TRY = 0x05,
  WIRE_INFO = 0x81,
  WIRE_STARTED = 0x82,
  WIRE_DONE = 0x83,
  WIRE_DATA = 0x84,
  WIRE_ERROR = 0x8F,
  WIRE_LOG = 0x90,
  WIRE_BOOT = 0x91,
} wire_type;

typedef enum {
  WIRE_ERROR_FRAME = 1,           /* the request came broken: send it again */
  WIRE_ERROR_REQUEST = 2,         /* unknown, or its payload is of the wrong size */
  WIRE_ERROR_MODEL_INDEX = 3,     /* no such model in this image */
  WIRE_ERROR_NOTHING_TO_READ = 4, /* READ before MEASURE, or beyond the end */
  WIRE_ERROR_RUNS = 5,            /* more runs or operators than the device can keep */
  WIRE_ERROR_ARENA = 6,           /* TRY asks for more than the arena there is */
  WIRE_ERROR_RUNTIME = 100,       /* + runtime_status */
} wire_error;

typedef struct {
  uint8_t type, sequence;
  uint16_t length;
  const uint8_t *payload;
} wire_request;

typedef enum { WIRE_RECEIVED, WIRE_BROKEN } wire_result;

/* Waits for the next frame. The payload is valid until the next call. */
wire_result wire_receive(wire_request *request);
void wire_send(uint8_t type, uint8_t sequence, const void *payload, size_t length);
void wire_send_error(uint8_t sequence, uint16_t code, const char *text);
void wire_log(const char *text);

uint16_t wire_u16(const uint8_t *bytes);
uint32_t wire_u32(const uint8_t *bytes);
void wire_put_u32(uint8_t *bytes, uint32_t value);

#endif
