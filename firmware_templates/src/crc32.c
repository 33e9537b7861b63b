/* SPDX-License-Identifier: Apache-2.0 */
#include "crc32.h"

/* One entry per value of four bits: 64 bytes of table, two steps a byte. */
static const uint32_t crc32_table[16] = {
    0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
    0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
};

uint32_t crc32_update(uint32_t state, const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    state = crc32_table[(state ^ bytes[i]) & 15u] ^ (state >> 4);
    state = crc32_table[(state ^ (uint32_t)(bytes[i] >> 4)) & 15u] ^ (state >> 4);
  }
  return state;
}

uint32_t crc32_value(uint32_t state) { return ~state; }
