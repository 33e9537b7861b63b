# SPDX-License-Identifier: Apache-2.0
"""Which memory is cacheable: the default map of ARMv7-M, and what firmware says by way of the MPU.

ARMv7-M ARM B3.1 (default map) and B3.5 (MPU); DDI 0489 5.9: a Cortex-M7 does not cache shared
memory. Only cacheability is taken from the MPU; access rights and faults of it are not modelled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from unas.virtual.bus.registers import Bus

UNCACHED, WRITE_THROUGH, WRITE_BACK = range(3)

_CTRL, _RNR = 0xE000ED94, 0xE000ED98
_RBAR = (0xE000ED9C, 0xE000EDA4, 0xE000EDAC, 0xE000EDB4)  # and three aliases
_RASR = (0xE000EDA0, 0xE000EDA8, 0xE000EDB0, 0xE000EDB8)
_REGIONS = 16
_NOWHERE = (1, 0)  # first address behind the last: an empty range
_VALID = 1 << 4


def default_policy(address: int) -> int:
    """How the default memory map caches an address."""
    if address < 0x20000000 or 0x80000000 <= address < 0xA0000000:
        return WRITE_THROUGH
    if address < 0x40000000 or 0x60000000 <= address < 0x80000000:
        return WRITE_BACK
    return UNCACHED


def policy_of(attributes: int) -> int:
    """How a region with this value in MPU_RASR is cached; B3.5.9, table B3-15."""
    bufferable, cacheable, shared = (attributes >> bit & 1 for bit in (16, 17, 18))
    extension = attributes >> 19 & 7
    if shared:
        return UNCACHED
    if (
        extension & 4
    ):  # outer policy in its low bits, inner one in C and B; L1 follows the inner one
        return (UNCACHED, WRITE_BACK, WRITE_THROUGH, WRITE_BACK)[cacheable << 1 | bufferable]
    if not cacheable:
        return UNCACHED
    return WRITE_BACK if bufferable else WRITE_THROUGH


@dataclass(slots=True)
class _Slot:
    base: int = 0
    attributes: int = 0


class MemoryProtection:
    """The MPU's word on cacheability.

    Args:
        tell: Called with (slot, first, last address, policy) when a region changes.
    """

    def __init__(self, tell: Callable[[int, int, int, int], None]) -> None:
        self._tell = tell
        self.reset()

    def reset(self) -> None:
        """As after a reset: off."""
        self._enabled = False
        self._number = 0
        self._slots = [_Slot() for _ in range(_REGIONS)]

    def follow(self, bus: Bus) -> None:
        """From now on, take over what is written to the MPU's registers."""
        bus.watch(_CTRL, self._write_control)
        bus.watch(_RNR, self._write_number)
        for address in _RBAR:
            bus.watch(address, self._write_base)
        for address in _RASR:
            bus.watch(address, self._write_attributes)

    def _write_control(self, value: int) -> None:
        self._enabled = bool(value & 1)
        for number in range(_REGIONS):
            self._apply(number)

    def _write_number(self, value: int) -> None:
        self._number = value % _REGIONS

    def _write_base(self, value: int) -> None:
        if value & _VALID:
            self._number = value & 0xF
        self._slots[self._number].base = value & ~0x1F
        self._apply(self._number)

    def _write_attributes(self, value: int) -> None:
        self._slots[self._number].attributes = value
        self._apply(self._number)

    def _apply(self, number: int) -> None:
        slot = self._slots[number]
        first, last = _NOWHERE
        if self._enabled and slot.attributes & 1:
            size = 2 << (slot.attributes >> 1 & 0x1F)
            first = slot.base & ~(size - 1)
            last = min(first + size - 1, 0xFFFFFFFF)
        self._tell(number, first, last, policy_of(slot.attributes))
