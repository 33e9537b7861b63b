# SPDX-License-Identifier: Apache-2.0
"""The input of a timed run, made from a seed on both sides of the wire."""

from __future__ import annotations

_MASK = 0xFFFFFFFF


def seeded_input(count: int, seed: int) -> bytes:
    """``count`` int8 values as bytes: the high byte of a 32-bit xorshift (Marsaglia 2003, 13-17-5).

    ``firmware_templates/src/bench.c`` computes the same. Seed 0 stands for 1.
    """
    state = (seed & _MASK) or 1
    values = bytearray(count)
    for i in range(count):
        state ^= (state << 13) & _MASK
        state ^= state >> 17
        state ^= (state << 5) & _MASK
        values[i] = state >> 24
    return bytes(values)
