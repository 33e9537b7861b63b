# SPDX-License-Identifier: Apache-2.0
"""What a running study tells whoever watches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from unas.record import FinalTraining, Record


@dataclass(frozen=True, slots=True)
class Status:
    """Where a study is.

    Attributes:
        records: Told so far, an earlier run's included.
        fresh: How many of them this run made.
        trainings: Trained candidates among them.
        finals: Trainings after the search that are done.
        finals_wanted: How many there will be; 0 while the search runs.
        seconds: Of this run.
        board_seconds: How long the board was at work.
        open: What each candidate in flight waits for, by its index: "board" or "training".
        fits: How often the latency model was fitted to what the board said.
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
    """Is told what happens; must not take long."""

    def began(self, records: tuple[Record, ...], finals: tuple[FinalTraining, ...]) -> None:
        """What an earlier run had found."""
        ...

    def record(self, record: Record) -> None:
        """A record is in the journal."""
        ...

    def final(self, final: FinalTraining) -> None:
        """A final training is in the journal."""
        ...

    def note(self, text: str) -> None:
        """Something that people should know."""
        ...

    def status(self, status: Status) -> None:
        """Several times a second."""
        ...


class NullObserver:
    """Watches and says nothing."""

    def began(self, records: tuple[Record, ...], finals: tuple[FinalTraining, ...]) -> None:
        """Nothing."""

    def record(self, record: Record) -> None:
        """Nothing."""

    def final(self, final: FinalTraining) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def status(self, status: Status) -> None:
        """Nothing."""
