# SPDX-License-Identifier: Apache-2.0
"""What a running study reports to whoever observes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from unas.record import FinalTraining, Record


@dataclass(frozen=True, slots=True)
class Status:
    """The progress of a study.

    Attributes:
        records: Records so far, an earlier run's included.
        fresh: Records that this run made.
        trainings: Trained candidates among all records.
        finals: Final trainings that are done.
        finals_wanted: Final trainings there will be; 0 while the search runs.
        seconds: Wall-clock time of this run.
        board_seconds: Wall-clock time that the board was at work.
        open: What each candidate in flight waits for, by its index: "board" or "training".
        fits: How often the latency model was refitted to measurements.
    """

    records: int
    fresh: int
    trainings: int
    finals: int
    finals_wanted: int
    seconds: float
    board_seconds: float
    open: Mapping[int, str]
    fits: int


class StudyObserver(Protocol):
    """Is called when something happens, in the thread that runs the study; must return quickly."""

    def began(self, records: tuple[Record, ...], finals: tuple[FinalTraining, ...]) -> None:
        """The run begins, with the records and final trainings of an earlier one."""
        ...

    def record(self, record: Record) -> None:
        """A record is in the journal."""
        ...

    def final(self, final: FinalTraining) -> None:
        """A final training is in the journal."""
        ...

    def note(self, text: str) -> None:
        """A line that people should read."""
        ...

    def status(self, status: Status) -> None:
        """The progress; called several times a second."""
        ...


class NullObserver:
    """Ignores everything."""

    def began(self, records: tuple[Record, ...], finals: tuple[FinalTraining, ...]) -> None:
        """Ignore it."""

    def record(self, record: Record) -> None:
        """Ignore it."""

    def final(self, final: FinalTraining) -> None:
        """Ignore it."""

    def note(self, text: str) -> None:
        """Ignore it."""

    def status(self, status: Status) -> None:
        """Ignore it."""
