# SPDX-License-Identifier: Apache-2.0
"""Instructions that Unicorn runs without telling: they change masks, send events, use the FPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import unicorn

_SEV = 0xBF40, 0xF3AF8004
_MASK_REGISTERS = range(16, 20)  # MSR's SYSm: PRIMASK, BASEPRI, BASEPRI_MAX, FAULTMASK


def opens_masks(code: bytes) -> bool:
    """Whether an instruction is a CPS, or an MSR that writes a mask register (ARMv7-M ARM A7.7)."""
    first = int.from_bytes(code[:2], "little")
    if len(code) == 2:
        return first & 0xFFE8 == 0xB660
    second = int.from_bytes(code[2:], "little")
    writes_special = first & 0xFFF0 == 0xF380 and second & 0xF300 == 0x8000
    return writes_special and second & 0xFF in _MASK_REGISTERS


def sends_event(code: bytes) -> bool:
    """Whether an instruction is SEV."""
    halves = [int.from_bytes(code[i : i + 2], "little") for i in range(0, len(code), 2)]
    return (halves[0] if len(halves) == 1 else halves[0] << 16 | halves[1]) in _SEV


class Watch:
    """Calls back before each such instruction, wherever it is met.

    A block must be looked at before it runs for the first time. Unicorn compiles calls to hooks
    into a block, so one with something to watch is compiled anew.

    Args:
        engine: Unicorn.
        on_masks: Called before an instruction that may open a mask.
        on_event: Called before SEV.
    """

    def __init__(
        self, engine: Any, on_masks: Callable[[], None], on_event: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._calls = ((opens_masks, on_masks), (sends_event, on_event))
        self._watched: set[int] = set()
        self._found: dict[int, Callable[[], None]] = {}
        self._blocks: list[tuple[int, int]] = []

    def look(self, address: int, code: bytes) -> bool:
        """Look for them in a block; True: it must not run before ``arm``."""
        position = address
        result = False
        for size in instruction_sizes(code):
            piece = code[position - address : position - address + size]
            for matches, call in self._calls:
                if position not in self._watched and matches(piece):
                    self._found[position] = call
                    result = True
            position += size
        if result:
            self._blocks.append((address, address + len(code)))
        return result

    def call_for(self, code: bytes) -> Callable[[], None] | None:
        """What to call before that instruction; None: it needs no watching."""
        return next((call for matches, call in self._calls if matches(code)), None)

    def arm(self) -> None:
        """Watch what was found. Unicorn must stand still."""
        for address, call in self._found.items():
            self._engine.hook_add(
                unicorn.UC_HOOK_CODE, self._hit, user_data=call, begin=address, end=address
            )
            self._watched.add(address)
        self._found.clear()
        for start, end in self._blocks:
            self._engine.ctl_remove_cache(start, end)
        self._blocks.clear()

    @staticmethod
    def _hit(_engine: Any, _address: int, _size: int, call: Callable[[], None]) -> None:
        call()


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
