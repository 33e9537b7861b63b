# SPDX-License-Identifier: Apache-2.0
"""Drives what is being judged: hands requests on, and goes on where the answer is there.

How answers come back to the loop, whatever process or thread they come from.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

from unas.artifact import Flatbuffer
from unas.errors import DeviceError, UnasError
from unas.record import Measurement
from unas.study.requests import Answer, AskBoard, AskTraining, Request, TrainingAnswer

_TICK_SECONDS = 0.2
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Executors:
    """Who answers requests.

    Attributes:
        trainings: Trains.
        board: Measures; None where no candidate asks for it.
        answers: Where their answers come from.
    """

    trainings: Trainings
    board: Board | None
    answers: Answers

    def close(self) -> None:
        """End processes and threads."""
        self.trainings.close()
        if self.board is not None:
            self.board.close()


@dataclass(slots=True)
class Job(Generic[_T]):
    """Something that is being judged.

    Attributes:
        judging: The coroutine.
        index: Of the record.
        again: 0 in the search; n for the n-th training after it.
        waits_for: "board" or "training".
        measured: What the board said on the way, with the models it said it of.
        trained: What training gave.
    """

    judging: Generator[Request, Answer, _T]
    index: int
    again: int = 0
    waits_for: str = ""
    measured: list[tuple[Flatbuffer, Measurement]] = field(default_factory=list)
    trained: TrainingAnswer | None = None
    _model: Flatbuffer | None = None


class Engine(Generic[_T]):
    """All cases in flight. Only one thread may use it."""

    def __init__(self, desk: Executors) -> None:
        self._desk = desk
        self._open: dict[int, Job[_T]] = {}
        self._done: deque[tuple[Job[_T], _T | UnasError]] = deque()
        self._ticket = 0

    @property
    def in_flight(self) -> int:
        """Cases that were started and not yet handed out by ``finished``."""
        return len(self._open) + len(self._done)

    @property
    def waiting(self) -> dict[int, str]:
        """What each open case waits for, by its record's index."""
        return {case.index: case.waits_for for case in self._open.values()}

    @property
    def board_seconds(self) -> float:
        """How long the board was at work."""
        return self._desk.board.busy_seconds if self._desk.board else 0.0

    def start(self, case: Job[_T]) -> None:
        """Judge it up to its first request."""
        self._step(case, lambda: next(case.judging))

    def finished(self) -> tuple[Job[_T], _T | UnasError] | None:
        """A case that came to its end, with its result or what ended it; waits a moment for one.

        Returns:
            None if there is none yet: look after other things and call again.
        """
        if not self._done and self._open:
            self._wait()
        return self._done.popleft() if self._done else None

    def _wait(self) -> None:
        try:
            answered = self._desk.answers.get(timeout=_TICK_SECONDS)
        except queue.Empty:
            return
        case, answer = self._open.pop(answered.ticket), answered.answer
        if isinstance(answer, UnasError):
            error = answer
            self._step(case, lambda: case.judging.throw(error))
            return
        given: Answer = answer
        if isinstance(given, TrainingAnswer):
            case.trained = given
        elif case._model is not None:
            case.measured.append((case._model, given))
        self._step(case, lambda: case.judging.send(given))

    def _step(self, case: Job[_T], step: Callable[[], Request]) -> None:
        try:
            request = step()
            while isinstance(request, AskBoard) and self._desk.board is None:
                request = case.judging.throw(DeviceError("this study has no board; report it"))
        except StopIteration as end:
            self._done.append((case, end.value))
            return
        except UnasError as error:
            self._done.append((case, error))
            return
        self._ticket += 1
        self._open[self._ticket] = case
        if not isinstance(request, AskBoard):
            case.waits_for = "training"
            self._desk.trainings.submit(self._ticket, request)
        elif self._desk.board is not None:
            case.waits_for, case._model = "board", request.model
            self._desk.board.submit(self._ticket, request)


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
