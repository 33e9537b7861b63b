# SPDX-License-Identifier: Apache-2.0
"""How answers come back to the loop, whatever process or thread they come from."""

from __future__ import annotations

import queue
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from unas.errors import UnasError
from unas.evaluate.requests import Answer, AskBoard, AskTraining


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer to a request, or what went wrong.

    Attributes:
        ticket: The number that the request was given.
        answer: What was asked for, or the error.
    """

    ticket: int
    answer: Answer | UnasError


Answers: TypeAlias = "queue.SimpleQueue[Answered]"


class Trainings(Protocol):
    """Trains what is submitted, several at once."""

    def submit(self, ticket: int, job: AskTraining) -> None:
        """Train it some time; the answer comes through the queue."""
        ...

    def close(self) -> None:
        """End at once what is at work."""
        ...


class Board(Protocol):
    """Measures what is submitted, one after the other."""

    def submit(self, ticket: int, job: AskBoard) -> None:
        """Measure it some time; the answer comes through the queue."""
        ...

    @property
    def busy_seconds(self) -> float:
        """How long it has been at work so far, in seconds of the host."""
        ...

    def close(self) -> None:
        """Take nothing new, and let go of the board."""
        ...
