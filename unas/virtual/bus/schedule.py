# SPDX-License-Identifier: Apache-2.0
"""What will happen around the core, and at which core cycle."""

from __future__ import annotations

import heapq
from collections.abc import Callable

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
