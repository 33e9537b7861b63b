# SPDX-License-Identifier: Apache-2.0
"""Which exceptions are pending, active and enabled, and which the core takes; ARMv7-M ARM B1.5."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

NMI, HARD_FAULT, MEMORY_FAULT, BUS_FAULT, USAGE_FAULT = 2, 3, 4, 5, 6
SVCALL, DEBUG_MONITOR, PENDSV, SYSTICK, FIRST_IRQ = 11, 12, 14, 15, 16
_FIXED = {1: -3, NMI: -2, HARD_FAULT: -1}  # B1.5.4
_FAULTS = (MEMORY_FAULT, BUS_FAULT, USAGE_FAULT)
_ALWAYS_ENABLED = sum(1 << n for n in (NMI, HARD_FAULT, SVCALL, DEBUG_MONITOR, PENDSV, SYSTICK))
_THREAD_PRIORITY = 256  # lower than any exception's


@dataclass(frozen=True, slots=True)
class Masks:
    """The core's mask registers.

    Attributes:
        primask: Nothing of configurable priority is taken.
        faultmask: Not even a HardFault is.
        basepri: Only what is more urgent than this is; 0: no limit.
    """

    primask: bool = False
    faultmask: bool = False
    basepri: int = 0


class Exceptions:
    """The state of all exceptions, as sets of exception numbers in the bits of integers.

    Args:
        lines: How many interrupts the chip has.
        priority_bits: How many bits of a priority are implemented; 4 in all STM32.

    Attributes:
        lines: As above.
        attend: Called when something may have become ready to be taken.
        pending: Wants to be taken.
        active: Is being handled, or was preempted while it was.
        enabled: May be taken.
        asserted: Interrupts whose line is high.
    """

    def __init__(self, lines: int, priority_bits: int = 4) -> None:
        self.lines = lines
        self.attend: Callable[[], None] = lambda: None
        self._implemented = 0xFF << (8 - priority_bits) & 0xFF
        self.reset()

    def reset(self) -> None:
        """As after a reset of the core; the lines keep their levels."""
        self.pending = self.active = 0
        self.enabled = _ALWAYS_ENABLED
        self.asserted = 0
        self._priorities = bytearray(FIRST_IRQ + self.lines)
        self._group_mask = 0xFF

    # What registers set ----------------------------------------------------------------------

    def set_priority(self, number: int, value: int) -> int:
        """Set a configurable priority; gives back what of it is implemented."""
        if number < len(self._priorities):
            self._priorities[number] = value & self._implemented
            self.attend()
        return value & self._implemented

    def set_grouping(self, prigroup: int) -> None:
        """AIRCR.PRIGROUP: how many low bits do not preempt."""
        self._group_mask = 0xFF << (prigroup + 1) & 0xFF

    def enable(self, numbers: int) -> None:
        """Allow these (a set of bits)."""
        self.enabled |= numbers
        self.attend()

    def disable(self, numbers: int) -> None:
        """Forbid these."""
        self.enabled &= ~numbers

    def pend(self, numbers: int) -> None:
        """Make these want to be taken."""
        self.pending |= numbers
        self.attend()

    def unpend(self, numbers: int) -> None:
        """Take that back; a line that is still high pends again."""
        self.pending = self.pending & ~numbers | self.asserted & numbers & ~self.active

    def set_line(self, irq: int, high: bool) -> None:
        """Level of an interrupt's line: rising it pends; high at the handler's end, once more."""
        bit = 1 << (FIRST_IRQ + irq)
        if not high:
            self.asserted &= ~bit
        elif not self.asserted & bit:
            self.asserted |= bit
            self.pend(bit)

    # What the core asks ----------------------------------------------------------------------

    def priority(self, number: int) -> int:
        """Priority of an exception: the smaller, the more urgent."""
        fixed = _FIXED.get(number)
        return self._priorities[number] if fixed is None else fixed

    def group_priority(self, number: int) -> int:
        """The part of its priority that decides whether it preempts."""
        priority = self.priority(number)
        return priority if priority < 0 else priority & self._group_mask

    def execution_priority(self, masks: Masks) -> int:
        """How urgent something must be to be taken now (B1.5.4, ExecutionPriority)."""
        level = min(map(self.group_priority, _numbers(self.active)), default=_THREAD_PRIORITY)
        if masks.basepri & self._implemented:
            level = min(level, masks.basepri & self._implemented & self._group_mask)
        if masks.primask:
            level = min(level, 0)
        return min(level, -1) if masks.faultmask else level

    def next(self, masks: Masks) -> int | None:
        """The exception to take now, or None."""
        ready = self.pending & self.enabled
        if not ready:
            return None
        number = min(_numbers(ready), key=lambda n: (self.priority(n), n))
        return number if self.group_priority(number) < self.execution_priority(masks) else None

    def wakes(self, masks: Masks) -> bool:
        """Whether WFI ends: something would be taken if PRIMASK were clear (B1.5.19)."""
        return self.next(Masks(False, masks.faultmask, masks.basepri)) is not None

    def escalate(self, number: int, masks: Masks) -> int | None:
        """What a fault or an SVC becomes that cannot wait; None: lock-up (B1.5.9, B1.5.15)."""
        level = self.execution_priority(masks)
        if self.enabled >> number & 1 and self.group_priority(number) < level:
            return number
        return HARD_FAULT if level > _FIXED[HARD_FAULT] else None

    def enter(self, number: int) -> None:
        """The core takes it."""
        self.pending &= ~(1 << number)
        self.active |= 1 << number

    def leave(self, number: int) -> None:
        """Its handler returns."""
        self.active &= ~(1 << number)
        if self.asserted >> number & 1:
            self.pending |= 1 << number

    def most_urgent_pending(self) -> int:
        """ICSR.VECTPENDING: number of the pending and enabled exception to come first, or 0."""
        ready = self.pending & self.enabled
        return min(_numbers(ready), key=lambda n: (self.priority(n), n), default=0)


def _numbers(bits: int) -> list[int]:
    result = []
    while bits:
        low = bits & -bits
        result.append(low.bit_length() - 1)
        bits ^= low
    return result
