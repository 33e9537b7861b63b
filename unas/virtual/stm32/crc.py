# SPDX-License-Identifier: Apache-2.0
"""The CRC unit of STM32F7 and L4+; RM0385 chapter 13, RM0432 chapter 17."""

from __future__ import annotations

from collections.abc import Callable

from unas.virtual.bus.registers import WORD, Peripheral, Register

_DR, _CR, _INIT, _POL = 0x00, 0x08, 0x10, 0x14
_POLYNOMIAL = 0x04C11DB7
_RESET, _REVERSE_OUT = 1 << 0, 1 << 7
_SIZES = (32, 16, 8, 7)  # of the polynomial, by CR.POLYSIZE
_REVERSED_SPANS = (0, 8, 16, 32)  # bits that are reversed within, by CR.REV_IN


def _reversed(value: int, bits: int) -> int:
    return int(f"{value:0{bits}b}"[::-1], 2)


class Crc(Peripheral):
    """Takes 8, 16 or 32 bits a write, as wide as the access.

    Args:
        clocked: Whether its bus clock is on.
    """

    def __init__(self, clocked: Callable[[], bool]) -> None:
        self._width = 32
        self._sum = WORD
        table = (
            Register(_DR, "DR", WORD, WORD, self._result, self._feed),
            Register(0x04, "IDR"),
            Register(_CR, "CR", 0, 0xF9, write=self._control),
            Register(_INIT, "INIT", WORD, write=self._begin),
            Register(_POL, "POL", _POLYNOMIAL),
        )
        super().__init__("CRC", 0x40023000, 0x400, table, clocked)

    def reset(self) -> None:
        """See ``Peripheral.reset``."""
        super().reset()
        self._sum = WORD

    def write_narrow(self, offset: int, size: int, value: int) -> bool:
        """See ``Peripheral.write_narrow``: the width of an access to DR has a meaning."""
        if offset != _DR:
            return False
        self._width = 8 * size
        try:
            self.write(_DR, value & (1 << self._width) - 1)
        finally:
            self._width = 32
        return True

    def _begin(self, old: int, new: int) -> int:
        self._sum = new
        return new

    def _control(self, old: int, new: int) -> int:
        if new & _RESET:
            self._sum = self.values[_INIT]
        return new & ~_RESET

    def _feed(self, old: int, new: int) -> int:
        control = self.values[_CR]
        size = _SIZES[control >> 3 & 3]
        span = _REVERSED_SPANS[control >> 5 & 3]
        data = new
        if span:
            span = min(span, self._width)
            mask = (1 << span) - 1
            data = sum(
                _reversed(new >> at & mask, span) << at for at in range(0, self._width, span)
            )
        top, polynomial = 1 << (size - 1), self.values[_POL]
        for bit in range(self._width - 1, -1, -1):
            carry = bool(self._sum & top) != bool(data >> bit & 1)
            self._sum = (self._sum << 1 ^ (polynomial if carry else 0)) & (1 << size) - 1
        return WORD

    def _result(self, stored: int) -> int:
        control = self.values[_CR]
        size = _SIZES[control >> 3 & 3]
        value = self._sum & (1 << size) - 1
        return _reversed(value, size) if control & _REVERSE_OUT else value
