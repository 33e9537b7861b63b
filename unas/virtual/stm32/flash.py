# SPDX-License-Identifier: Apache-2.0
"""The flash interface of an STM32: wait states are its owner's, keys and lock are here.

It can be unlocked, not programmed: the boards' own firmware never does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from unas.errors import EmulatorError
from unas.virtual.bus.registers import Peripheral, Register

LATENCY = 0xF  # FLASH_ACR
_KEYS = (0x45670123, 0xCDEF89AB)  # RM0385 3.3.5, RM0432 3.3.5
_LOCK = 1 << 31
_START = 1 << 16
_PROGRAM = 1 << 0


@dataclass(frozen=True, slots=True)
class FlashLayout:
    """Where the registers are that all families have, and FLASH_CR after reset."""

    base: int
    key: int
    option_key: int
    status: int
    control: int
    locked: int


class FlashInterface(Peripheral):
    """FLASH.

    Args:
        layout: Where its registers are.
        others: FLASH_ACR and what else the family has.
    """

    def __init__(self, layout: FlashLayout, others: Iterable[Register]) -> None:
        self._control = layout.control
        self._next_key = 0
        table = (
            Register(layout.key, "KEYR", write=self._write_key),
            Register(layout.option_key, "OPTKEYR", write=_forget),
            Register(layout.status, "SR", 0, 0),
            Register(layout.control, "CR", layout.locked, write=self._write_control),
            *others,
        )
        super().__init__("FLASH", layout.base, 0x400, table)

    def reset(self) -> None:
        """See ``Peripheral.reset``."""
        super().reset()
        self._next_key = 0

    def _write_key(self, old: int, new: int) -> int:
        if self._next_key < len(_KEYS) and new == _KEYS[self._next_key]:
            self._next_key += 1
            if self._next_key == len(_KEYS):
                self.values[self._control] &= ~_LOCK
        else:
            self._next_key = len(_KEYS)  # a wrong key shuts it until the next reset
        return 0

    def _write_control(self, old: int, new: int) -> int:
        if old & _LOCK:
            return old
        if new & (_START | _PROGRAM):
            raise EmulatorError(
                "the firmware programs flash, which is not modelled; keep its data in RAM"
            )
        if new & _LOCK:
            self._next_key = 0
        return new


def _forget(old: int, new: int) -> int:
    return 0
