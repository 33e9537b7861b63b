# SPDX-License-Identifier: Apache-2.0
"""The little of the Thumb encoding that counting needs; ARMv7-M ARM chapter A5."""

from __future__ import annotations

_FP_COPROCESSORS = (10, 11)


def instruction_sizes(code: bytes) -> list[int]:
    """Sizes in bytes (2 or 4) of consecutive Thumb instructions.

    ARMv7-M ARM A5.1: a halfword with 0b11101 or more in its top five bits starts a 32-bit one.
    """
    sizes = []
    position = 0
    while position + 2 <= len(code):
        size = 4 if code[position + 1] >> 3 >= 0b11101 else 2
        sizes.append(size)
        position += size
    return sizes


def uses_fpu(code: bytes) -> bool:
    """Whether one of them is a floating-point instruction (A5.3.18: coprocessors 10, 11)."""
    position = 0
    for size in instruction_sizes(code):
        first = int.from_bytes(code[position : position + 2], "little")
        second = int.from_bytes(code[position + 2 : position + 4], "little")
        if size == 4 and first & 0xEC00 == 0xEC00 and second >> 8 & 0xF in _FP_COPROCESSORS:
            return True
        position += size
    return False
