# SPDX-License-Identifier: Apache-2.0
"""What will happen around the core and when, and when firmware only waits for it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Protocol

NEVER = (1 << 64) - 1


class ScheduledEvent:
    """Something of which at most one is due: a timer's next event, say.

    Args:
        agenda: Where it stands.
        act: Called when its time has come.
    """

    def __init__(self, agenda: Schedule, act: Callable[[], None]) -> None:
        self._agenda = agenda
        self._act = act
        self.cycle = NEVER

    def set(self, cycle: int) -> None:
        """Let it happen at the first block boundary at or after that cycle; NEVER: not at all."""
        if cycle != self.cycle:
            self.cycle = cycle
            if cycle != NEVER:
                self._agenda.enter(self)

    def run(self) -> None:
        """It is time."""
        self.cycle = NEVER
        self._act()


class Schedule:
    """All appointments, soonest first; those of one cycle in the order in which they were made."""

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, ScheduledEvent]] = []
        self._made = 0
        self.changed: Callable[[], None] = lambda: None
        """Called when something sooner than all else was entered."""

    def event(self, act: Callable[[], None]) -> ScheduledEvent:
        """A new appointment, not set yet."""
        return ScheduledEvent(self, act)

    def enter(self, event: ScheduledEvent) -> None:
        """Note its new time."""
        self._made += 1
        first = self.next_cycle
        heapq.heappush(self._entries, (event.cycle, self._made, event))
        if event.cycle < first:
            self.changed()

    @property
    def next_cycle(self) -> int:
        """When the next thing happens, or NEVER."""
        while self._entries and self._entries[0][2].cycle != self._entries[0][0]:
            heapq.heappop(self._entries)  # moved since
        return self._entries[0][0] if self._entries else NEVER

    def run_due(self, cycle: int) -> None:
        """Let happen what is due by then."""
        while self.next_cycle <= cycle:
            heapq.heappop(self._entries)[2].run()


# What makes a waiting loop: rounds of the same, small number of instructions; and, for loops that
# vary, how many reads of ISR in a row.
_LOOP_ROUNDS, _LOOP_INSTRUCTIONS, _LOOP_READS = 2, 64, 32
_POLLS = 12  # reads in a row that are taken for a waiting loop where time passes


class Timeline(Protocol):
    """What the UART must know of the machine around it."""

    @property
    def accesses(self) -> int:
        """Peripheral accesses so far, this one included."""

    @property
    def instructions(self) -> int:
        """Executed instructions."""

    def snapshot(self) -> object:
        """The present moment."""

    def rewind(self, moment: object) -> None:
        """Take back the time since then: the core only waited."""

    def skip_to(self, cycle: int) -> None:
        """Pass the time until then, or until something else happens: the core only waits."""

    def stop_idle(self) -> None:
        """The far end has nothing for us: let the machine stop."""


class IdleLoopDetector:
    """Finds the loops in which firmware waits for a byte, and takes their time away.

    While a board waits for its host, virtual time stands still: however long that takes, and
    however the bytes arrive in pieces, the counts are those of a byte that was there at the first
    look. A loop is reads of ISR with nothing but the same number of instructions between them; the
    read before it, e.g. for TC, is not part of it.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._reads = 0  # in a row
        self._rounds = 0  # of the same length, at the end of them
        self._length = 0
        self._start: object = None  # at the first read of the loop
        self._last: object = None
        self._last_access = -1
        self._last_instructions = 0

    @property
    def first(self) -> bool:
        """The read stands alone so far."""
        return self._reads == 1

    @property
    def looping(self) -> bool:
        """Nothing but waiting is going on."""
        return self._rounds >= _LOOP_ROUNDS or self._reads >= _LOOP_READS

    def note(self) -> None:
        """Note a read of ISR."""
        accesses, instructions = self._timeline.accesses, self._timeline.instructions
        length = instructions - self._last_instructions
        if self._reads == 0 or accesses != self._last_access + 1 or length > _LOOP_INSTRUCTIONS:
            self._reads = self._rounds = self._length = 0
        elif length == self._length:
            self._rounds += 1
        else:
            self._rounds, self._length, self._start = 1, length, self._last
        self._reads += 1
        self._last = self._timeline.snapshot()
        self._last_access, self._last_instructions = accesses, instructions

    def end(self) -> None:
        """A byte has come: go back to the first look."""
        self._timeline.rewind(self._start if self._rounds else self._last)
        self._reads = 0


class Polling:
    """Finds the loops in which firmware waits for a flag, in time that passes.

    Such a loop reads registers of the UART and of nothing else, a few instructions apart. Its time
    may be passed at once: nothing happens in it before the next thing happens around the core.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._last_access = -1
        self._last_instructions = 0
        self._reads = 0

    @property
    def looping(self) -> bool:
        """Nothing but waiting is going on."""
        return self._reads >= _POLLS

    def note(self) -> None:
        """Note a read of the UART that has no effect."""
        accesses, instructions = self._timeline.accesses, self._timeline.instructions
        near = instructions - self._last_instructions <= _LOOP_INSTRUCTIONS
        self._reads = self._reads + 1 if accesses == self._last_access + 1 and near else 0
        self._last_access, self._last_instructions = accesses, instructions

    def end(self) -> None:
        """Something else was done."""
        self._reads = 0
