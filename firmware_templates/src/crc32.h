/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32 as in IEEE 802.3 and zlib: reflected polynomial 0xEDB88320, initial value and final xor 0xFFFFFFFF.
 */
#ifndef CRC32_H
#define CRC32_H

#include <stddef.h>
#include <stdint.h>

#define CRC32_INITIAL 0xFFFFFFFFu

uint32_t crc32_update(uint32_t state, const uint8_t *bytes, size_t count);
uint32_t crc32_value(uint32_t state);

#endif
