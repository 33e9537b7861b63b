# SPDX-License-Identifier: Apache-2.0
"""Cycle counter (DWT) and instrumentation trace (ITM) of an ARMv7-M core; ARMv7-M ARM chapter C1.

A write to ITM stimulus port 0 becomes a trace event with exact counts: that is how they leave the
machine without a byte on the serial line. On silicon the same write is harmless.
"""

from __future__ import annotations

from collections.abc import Callable

from unas.virtual.bus.registers import WORD, Peripheral, Register

_CYCCNTENA = 1 << 0
_FOUR_COMPARATORS = 0x40000000
_UNLOCK = 0xC5ACCE55
_CYCCNT = 0x004


class Dwt(Peripheral):
    """Cycle counter, on the M7 behind a software lock.

    A block is counted whole when it is entered, so CYCCNT runs ahead to the end of the block that
    reads it: a constant for one and the same reading function, gone in differences.

    Args:
        trace_enabled: DEMCR.TRCENA; without it the counter stands still.
        cycles: Core clock cycles since power-on.
        locked: There is a lock; the M4 has none.
    """

    def __init__(
        self, trace_enabled: Callable[[], bool], cycles: Callable[[], int], *, locked: bool = True
    ) -> None:
        self._trace_enabled = trace_enabled
        self._cycles = cycles
        self._locked = locked
        self._unlocked = not locked
        self._origin = 0
        self._frozen = 0
        self._latest = -1
        table = (
            Register(0x000, "CTRL", _FOUR_COMPARATORS, _CYCCNTENA, write=self._write_control),
            Register(_CYCCNT, "CYCCNT", read=self._count, write=self._set_count),
            Register(0xFB0, "LAR", write=self._write_lock),
            Register(0xFB4, "LSR", 0, 0, self._lock_status),
        )
        super().__init__("DWT", 0xE0001000, 0x1000, table)

    def reset(self) -> None:
        """See ``Peripheral.reset``."""
        super().reset()
        self._unlocked = not self._locked
        self._origin = self._frozen = 0
        self._latest = -1

    def _running(self) -> bool:
        return bool(self.values[0] & _CYCCNTENA) and self._trace_enabled()

    def _write_lock(self, old: int, new: int) -> int:
        self._unlocked = new == _UNLOCK or not self._locked
        return 0

    def _lock_status(self, stored: int) -> int:
        if not self._locked:
            return 0
        return 1 if self._unlocked else 3

    def _write_control(self, old: int, new: int) -> int:
        if not self._unlocked:
            return old
        if self._running():
            self._frozen = self._cycles() - self._origin
        if new & _CYCCNTENA:
            self._origin = self._cycles() - self._frozen
        return new

    def _set_count(self, old: int, new: int) -> int:
        if self._unlocked:
            self._frozen = new
            self._origin = self._cycles() - new
            self._latest = -1
        return 0

    def _count(self, stored: int) -> int:
        if not self._running():
            return self._frozen & WORD
        # Time passes between two reads in one block, too.
        self._latest = max(self._cycles() - self._origin, self._latest + 1)
        return self._latest & WORD


class Itm(Peripheral):
    """Stimulus port 0: always ready; what is written is handed on."""

    def __init__(self, on_stage: Callable[[int], None]) -> None:
        def stimulus(_: int, value: int) -> int:
            on_stage(value)
            return 0

        table = (
            Register(0x000, "STIM0", 0, WORD, lambda stored: 1, stimulus),
            Register(0xE00, "TER"),
            Register(0xE80, "TCR", 0, 0x00000F0F),
            Register(0xFB0, "LAR", write=lambda old, new: 0),
        )
        super().__init__("ITM", 0xE0000000, 0x1000, table)
