# SPDX-License-Identifier: Apache-2.0
"""Seconds from cycles, across changes of the core clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from unas.virtual.core.chip import Timed


class VirtualTime:
    """Adds up time; to be told before and after the clock tree changes.

    Args:
        cycles: Core clock cycles since power-on.
        core_clock_hz: Frequency of the core now.
        timers: Are told, too.
    """

    def __init__(
        self,
        cycles: Callable[[], int],
        core_clock_hz: Callable[[], int],
        timers: Sequence[Timed],
    ) -> None:
        self._cycles = cycles
        self.core_clock_hz = core_clock_hz
        self._timers = timers
        self._before_s, self._from_cycle = 0.0, 0

    @property
    def seconds(self) -> float:
        """Virtual time since power-on."""
        return self._before_s + (self._cycles() - self._from_cycle) / self.core_clock_hz()

    def clocks_change(self) -> None:
        """The clock tree is about to be something else."""
        self._before_s, self._from_cycle = self.seconds, self._cycles()
        for timer in self._timers:
            timer.clocks_change()

    def clocks_changed(self) -> None:
        """The clock tree is something else."""
        for timer in self._timers:
            timer.clocks_changed()
