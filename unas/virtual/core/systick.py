# SPDX-License-Identifier: Apache-2.0
"""The core's SysTick timer; ARMv7-M ARM B3.3."""

from __future__ import annotations

from collections.abc import Callable

from unas.virtual.bus.registers import Register
from unas.virtual.bus.schedule import NEVER, Schedule
from unas.virtual.core.exceptions import SYSTICK, Exceptions

_ENABLE, _TICKINT, _CORE_CLOCK, _COUNTFLAG = 1 << 0, 1 << 1, 1 << 2, 1 << 16
_EXTERNAL_DIVISOR = 8  # STM32: HCLK / 8 where CLKSOURCE is 0; RM0385 10.1.1
_COUNT_MASK = 0xFFFFFF


class SysTick:
    """Counts core clocks down from LOAD, pends its exception as it reaches 0, and reloads.

    Args:
        exceptions: Where it pends.
        agenda: Where it has its next tick.
        cycles: Core clock cycles since power-on.
    """

    def __init__(self, exceptions: Exceptions, agenda: Schedule, cycles: Callable[[], int]) -> None:
        self._exceptions = exceptions
        self._cycles = cycles
        self._tick = agenda.event(self._sync)
        self.reset()
        self.registers = (
            Register(0x010, "SYST_CSR", read=self._read_control, write=self._write_control),
            Register(0x014, "SYST_RVR", writable=_COUNT_MASK, write=self._write_reload),
            Register(0x018, "SYST_CVR", read=self._read_count, write=self._write_count),
            Register(0x01C, "SYST_CALIB", 0x40000000, 0),  # SKEW: no exact 10 ms value
        )

    def reset(self) -> None:
        """Stop it."""
        self._control = self._reload = self._stopped_at = 0
        self._zero_at = 0  # the cycle in which the running counter reaches 0
        self._counted = False
        self._tick.set(NEVER)

    @property
    def _divisor(self) -> int:
        return 1 if self._control & _CORE_CLOCK else _EXTERNAL_DIVISOR

    @property
    def _running(self) -> bool:
        return bool(self._control & _ENABLE)

    def _sync(self) -> None:
        """Account for the zeros up to now."""
        if not self._running:
            return
        now, period = self._cycles(), (self._reload + 1) * self._divisor
        if now >= self._zero_at:
            if self._reload:  # with LOAD = 0 it stays at 0 and never counts from 1 to 0
                self._counted = True
                if self._control & _TICKINT:
                    self._exceptions.pend(1 << SYSTICK)
            self._zero_at += ((now - self._zero_at) // period + 1) * period
        wanted = self._control & _TICKINT and self._reload
        self._tick.set(self._zero_at if wanted else NEVER)

    def _value(self) -> int:
        if not self._running:
            return self._stopped_at
        left = -(-(self._zero_at - self._cycles()) // self._divisor)
        return 0 if left > self._reload else left

    def _start_from(self, value: int) -> None:
        """The counter holds ``value`` now; 0 reloads at the next clock."""
        ticks = value or self._reload + 1
        self._zero_at = self._cycles() + ticks * self._divisor

    def _read_control(self, _: int) -> int:
        self._sync()
        value = self._control | (self._counted and _COUNTFLAG)
        self._counted = False
        return value

    def _write_control(self, _: int, new: int) -> int:
        self._sync()
        value = self._value()
        self._control = new & (_ENABLE | _TICKINT | _CORE_CLOCK)
        self._stopped_at = value
        if self._running:
            self._start_from(value)
        self._tick.set(NEVER)
        self._sync()
        return 0

    def _write_reload(self, _: int, new: int) -> int:
        self._sync()
        self._reload = new
        self._sync()
        return new

    def _read_count(self, _: int) -> int:
        self._sync()
        return self._value()

    def _write_count(self, _: int, new: int) -> int:
        self._stopped_at = 0
        self._counted = False
        if self._running:
            self._start_from(0)
            self._sync()
        return 0
