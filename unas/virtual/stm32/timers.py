# SPDX-License-Identifier: Apache-2.0
"""General-purpose and basic timers of an STM32, counting up; RM0385 26.4 and 27.4.

The counter is arithmetic on virtual time: it costs nothing while nobody looks. Compare events set
their flags, outputs and inputs lead nowhere. Counting down, slave modes and one-pulse captures are
not modelled.

Where the timers of the chips are: ST CMSIS headers stm32f746xx.h and stm32l4r5xx.h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from unas.virtual.bus.registers import Peripheral, Register
from unas.virtual.bus.schedule import NEVER
from unas.virtual.core.chip import Services
from unas.virtual.core.exceptions import Exceptions
from unas.virtual.stm32.clocks import ClockSource

_CR1, _DIER, _SR, _EGR, _CNT, _PSC, _ARR, _CCR1 = 0x00, 0x0C, 0x10, 0x14, 0x24, 0x28, 0x2C, 0x34
_CEN, _UDIS, _URS, _OPM, _ARPE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 7
_UIF, _UG = 1 << 0, 1 << 0
_CHANNELS = 4
_PLAIN = (  # stored, without effect: (offset, name)
    (0x04, "CR2"),
    (0x08, "SMCR"),
    (0x18, "CCMR1"),
    (0x1C, "CCMR2"),
    (0x20, "CCER"),
    (0x30, "RCR"),
    (0x44, "BDTR"),
    (0x48, "DCR"),
    (0x4C, "DMAR"),
    (0x50, "OR1"),
    (0x54, "CCMR3"),
    (0x58, "CCR5"),
    (0x5C, "CCR6"),
    (0x60, "OR2"),
    (0x64, "OR3"),
)


@dataclass(frozen=True, slots=True)
class TimerPlace:
    """One timer as data.

    Attributes:
        name: As the reference manual has it.
        base: Address.
        enable: RCC register and bit of its clock.
        interrupts: Its numbers in the NVIC: update, and capture/compare if that is another.
        bus: 1: on APB1, 2: on APB2.
        bits: Width of the counter.
        channels: Compare channels.
    """

    name: str
    base: int
    enable: tuple[str, int]
    interrupts: tuple[int, ...]
    bus: int = 1
    bits: int = 16
    channels: int = _CHANNELS


class Timer(Peripheral):
    """One timer."""

    def __init__(
        self, place: TimerPlace, clock: ClockSource, exceptions: Exceptions, services: Services
    ) -> None:
        self._place = place
        self._clock = clock
        self._exceptions = exceptions
        self._services = services
        self._top = (1 << place.bits) - 1
        self._next = services.agenda.event(self._catch_up)
        compares = tuple(
            Register(_CCR1 + 4 * i, f"CCR{i + 1}", 0, self._top, write=self._changed(None))
            for i in range(place.channels)
        )
        table = (
            Register(_CR1, "CR1", 0, 0xBFF, write=self._changed(None)),
            Register(_DIER, "DIER", 0, 0xFFFF, write=self._changed(None)),
            Register(_SR, "SR", 0, read=self._read_status, write=self._clear_status),
            Register(_EGR, "EGR", write=self._generate),
            Register(_CNT, "CNT", 0, self._top, self._read_count, self._write_count),
            Register(_PSC, "PSC", 0, 0xFFFF, write=self._changed(None)),
            Register(_ARR, "ARR", self._top, self._top, write=self._changed(self._preload)),
            *compares,
            *(Register(offset, name) for offset, name in _PLAIN),
        )
        super().__init__(place.name, place.base, 0x400, table, lambda: clock.enabled(*place.enable))

    def reset(self) -> None:
        """See ``Peripheral.reset``."""
        super().reset()
        self._prescaler = 0
        self._reload = self._top
        self._count = 0
        self._fraction = 0  # of a tick, in timer clocks
        self._since = 0  # the cycle of which they hold
        self._rate = (1, 1)  # timer clocks per core cycle, as a fraction
        self._next.set(NEVER)

    def clocks_change(self) -> None:
        """The clock tree is about to be something else: count up to now at the old rate."""
        self._catch_up()

    def clocks_changed(self) -> None:
        """The clock tree is something else."""
        clocks = self._clock.clocks()
        hz = clocks.timer1_hz if self._place.bus == 1 else clocks.timer2_hz
        self._rate = hz, clocks.hclk_hz
        self._plan()

    # Registers -------------------------------------------------------------------------------

    def _changed(self, also: Callable[[int], None] | None) -> Callable[[int, int], int]:
        """Writes a register on which the counter's future depends."""

        def write(old: int, new: int) -> int:
            self._catch_up()  # what is stored is the old value until this returns
            if also is not None:
                also(new)
            return new

        return write

    def write(self, offset: int, value: int) -> None:
        """See ``Peripheral.write``."""
        super().write(offset, value)
        self._plan()

    def _preload(self, new: int) -> None:
        if not self.values[_CR1] & _ARPE:
            self._reload = new

    def _generate(self, old: int, new: int) -> int:
        self._catch_up()
        if new & _UG:
            self._update_event(by_software=True)
            self._count = self._fraction = 0
        self.values[_SR] |= new & 0x1E
        return 0

    def _clear_status(self, old: int, new: int) -> int:
        self._catch_up()
        return self.values[_SR] & new

    def _read_status(self, stored: int) -> int:
        self._catch_up()
        return self.values[_SR]

    def _read_count(self, stored: int) -> int:
        self._catch_up()
        return self._count

    def _write_count(self, old: int, new: int) -> int:
        self._catch_up()
        self._count, self._fraction = new, 0
        return new

    # Time ------------------------------------------------------------------------------------

    def _update_event(self, *, by_software: bool = False) -> None:
        control = self.values[_CR1]
        if control & _UDIS:
            return
        self._prescaler = self.values[_PSC]
        self._reload = self.values[_ARR]
        if not (by_software and control & _URS):
            self.values[_SR] |= _UIF
        if control & _OPM and not by_software:
            self.values[_CR1] &= ~_CEN

    def _catch_up(self) -> None:
        """Count up to now, through as many overflows as there were."""
        now = self._services.cycles
        numerator, denominator = self._rate
        if self.values[_CR1] & _CEN and self._clock.enabled(*self._place.enable):
            # Whole timer clocks since a fixed origin, so that no fraction of one is ever lost.
            clocks = now * numerator // denominator - self._since * numerator // denominator
            self._count_clocks(clocks + self._fraction)
        self._since = now
        self._plan()

    def _count_clocks(self, clocks: int) -> None:
        while True:
            divisor = self._prescaler + 1
            ticks = clocks // divisor
            left = max(self._reload, self._count) - self._count + 1  # to the overflow
            if self._reload == 0 or not self.values[_CR1] & _CEN:
                self._fraction = 0
                return
            if ticks < left:
                self._compare(self._count, self._count + ticks)
                self._count += ticks
                self._fraction = clocks - ticks * divisor
                return
            self._compare(self._count, self._reload)
            clocks -= left * divisor
            self._count = 0
            self._update_event()
            self._compare(-1, 0)
            clocks = self._skip_periods(clocks)

    def _skip_periods(self, clocks: int) -> int:
        """Leave out whole periods, which change nothing any more but flags."""
        period = (self._prescaler + 1) * (self._reload + 1)
        if self.values[_CR1] & _CEN and clocks >= period:
            self._compare(0, self._reload)
            return clocks % period
        return clocks

    def _compare(self, after: int, upto: int) -> None:
        for channel in range(self._place.channels):
            if after < self.values[_CCR1 + 4 * channel] <= upto:
                self.values[_SR] |= 2 << channel

    def _plan(self) -> None:
        """Bring the interrupt lines to what the flags say; note when an enabled one comes next."""
        enabled = self.values[_DIER] & 0x5F
        raised = self.values[_SR] & enabled
        update, *others = self._place.interrupts
        self._exceptions.set_line(update, bool(raised & (_UIF if others else 0x5F)))
        for irq in others:
            self._exceptions.set_line(irq, bool(raised & ~_UIF))
        ticks = self._ticks_to(enabled & ~self.values[_SR])
        if not self.values[_CR1] & _CEN or ticks is None:
            self._next.set(NEVER)
            return
        numerator, denominator = self._rate
        clocks = ticks * (self._prescaler + 1) - self._fraction
        reached = self._since * numerator // denominator + clocks
        self._next.set(-(-reached * denominator // numerator))

    def _ticks_to(self, flags: int) -> int | None:
        """Ticks until the first of these flags is raised."""
        if self._reload == 0:
            return None
        to_overflow = max(self._reload, self._count) - self._count + 1
        ticks = [to_overflow] if flags & _UIF else []
        for channel in range(self._place.channels):
            value = self.values[_CCR1 + 4 * channel]
            if flags & 2 << channel and value <= self._reload:
                ahead = value - self._count
                ticks.append(ahead if ahead > 0 else to_overflow + value)
        return min(ticks, default=None)


F7_TIMERS = (
    TimerPlace("TIM2", 0x40000000, ("APB1ENR", 0), (28,), bits=32),
    TimerPlace("TIM3", 0x40000400, ("APB1ENR", 1), (29,)),
    TimerPlace("TIM4", 0x40000800, ("APB1ENR", 2), (30,)),
    TimerPlace("TIM5", 0x40000C00, ("APB1ENR", 3), (50,), bits=32),
    TimerPlace("TIM6", 0x40001000, ("APB1ENR", 4), (54,), channels=0),
    TimerPlace("TIM7", 0x40001400, ("APB1ENR", 5), (55,), channels=0),
    TimerPlace("TIM12", 0x40001800, ("APB1ENR", 6), (43,), channels=2),
    TimerPlace("TIM13", 0x40001C00, ("APB1ENR", 7), (44,), channels=1),
    TimerPlace("TIM14", 0x40002000, ("APB1ENR", 8), (45,), channels=1),
    TimerPlace("TIM1", 0x40010000, ("APB2ENR", 0), (25, 27), bus=2),
    TimerPlace("TIM8", 0x40010400, ("APB2ENR", 1), (44, 46), bus=2),
    TimerPlace("TIM9", 0x40014000, ("APB2ENR", 16), (24,), bus=2, channels=2),
    TimerPlace("TIM10", 0x40014400, ("APB2ENR", 17), (25,), bus=2, channels=1),
    TimerPlace("TIM11", 0x40014800, ("APB2ENR", 18), (26,), bus=2, channels=1),
)
L4_TIMERS = (
    TimerPlace("TIM2", 0x40000000, ("APB1ENR1", 0), (28,), bits=32),
    TimerPlace("TIM3", 0x40000400, ("APB1ENR1", 1), (29,)),
    TimerPlace("TIM4", 0x40000800, ("APB1ENR1", 2), (30,)),
    TimerPlace("TIM5", 0x40000C00, ("APB1ENR1", 3), (50,), bits=32),
    TimerPlace("TIM6", 0x40001000, ("APB1ENR1", 4), (54,), channels=0),
    TimerPlace("TIM7", 0x40001400, ("APB1ENR1", 5), (55,), channels=0),
    TimerPlace("TIM1", 0x40012C00, ("APB2ENR", 11), (25, 27), bus=2),
    TimerPlace("TIM8", 0x40013400, ("APB2ENR", 13), (44, 46), bus=2),
    TimerPlace("TIM15", 0x40014000, ("APB2ENR", 16), (24,), bus=2, channels=2),
    TimerPlace("TIM16", 0x40014400, ("APB2ENR", 17), (25,), bus=2, channels=1),
    TimerPlace("TIM17", 0x40014800, ("APB2ENR", 18), (26,), bus=2, channels=1),
)


def build_timers(
    places: Iterable[TimerPlace], clock: ClockSource, exceptions: Exceptions, services: Services
) -> tuple[Timer, ...]:
    """Make them."""
    return tuple(Timer(place, clock, exceptions, services) for place in places)
