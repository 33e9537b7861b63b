# SPDX-License-Identifier: Apache-2.0
"""What a machine offers its peripherals, time across changes of the core clock among it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from unicorn import arm_const as arm

from unas.virtual.bus.registers import Bus
from unas.virtual.bus.rules import Rules, Strictness
from unas.virtual.bus.schedule import NEVER, Schedule
from unas.virtual.bus.system_bus import SystemBus
from unas.virtual.core.chip import Timed
from unas.virtual.core.sleep import Sleep
from unas.virtual.machine.events import Stop
from unas.virtual.timing.counters import BlockCounter


class MachineServices(ABC):
    """The half of a machine that its peripherals see."""

    agenda: Schedule
    strictness: Strictness
    rules: Rules
    _bus: Bus
    _counter: BlockCounter
    _engine: Any
    _horizon: int
    _reset_pending: bool
    _sleep: Sleep
    _system_bus: SystemBus

    @property
    def instructions(self) -> int:
        """Executed instructions since power-on, waiting for the host left out."""
        return self._counter.instructions

    @property
    def cycles(self) -> int:
        """Core clock cycles since power-on, waiting for the host left out."""
        return self._counter.cycles

    @abstractmethod
    def _stop_after_block(self, reason: Stop) -> None:
        """Let ``run`` come back at the end of the block."""

    @property
    def awake_cycles(self) -> int:
        """Core clock cycles since power-on, those asleep left out: what DWT counts."""
        return self.cycles - self._sleep.cycles

    @property
    def accesses(self) -> int:
        """Peripheral accesses so far."""
        return self._bus.accesses

    def snapshot(self) -> object:
        """The present moment."""
        return self._counter.snapshot()

    def rewind(self, moment: object) -> None:
        """Take back the time since then."""
        self._counter.rewind(moment)

    def skip_to(self, cycle: int) -> None:
        """Pass the time until then, or until something else happens: the core only waits."""
        until = min(cycle, self.agenda.next_cycle)
        if until == NEVER:
            self.stop_idle()
        else:
            self._counter.cycles = max(self._counter.cycles, min(until, self._horizon))

    def read_bus(self, address: int, size: int) -> int:
        """See ``SystemBus.read``."""
        return self._system_bus.read(address, size)

    def write_bus(self, address: int, size: int, value: int) -> None:
        """See ``SystemBus.write``."""
        self._system_bus.write(address, size, value)

    def stop_idle(self) -> None:
        """The far end has nothing for the board."""
        self._stop_after_block(Stop.IDLE)

    def active_exception(self) -> int:
        """Number of the exception that the core is in; 0 for none."""
        return int(self._engine.reg_read(arm.UC_ARM_REG_IPSR))

    def request_reset(self) -> None:
        """Reset the system at the end of the block."""
        self._reset_pending = True
        self._counter.limit = 0

    def stop(self) -> None:
        """Let ``run`` come back at the end of the block: the far end has enough."""
        self._stop_after_block(Stop.REQUESTED)


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
