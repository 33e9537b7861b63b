# SPDX-License-Identifier: Apache-2.0
"""Requests of evaluations, for a measurement or a training, and the executors that work on them."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeAlias, TypeVar

from unas._codec import plain_object, read_object
from unas._text import parse_json
from unas.artifact import Flatbuffer
from unas.candidate import Candidate
from unas.errors import DeviceError, StoreError
from unas.record import Measurement, TrainingResult


@dataclass(frozen=True, slots=True)
class MeasurementRequest:
    """A network is to be timed on the board.

    Attributes:
        model: The network.
    """

    model: Flatbuffer


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """A candidate is to be trained.

    Attributes:
        candidate: Its genes.
        seed: Of initial weights, order of samples and augmentation.
        to_the_end: Whether early termination is off: a mean over seeds must not leave out the bad
            ones.
    """

    candidate: Candidate
    seed: int
    to_the_end: bool = False

    def to_json(self) -> str:
        """One line of JSON, for another process."""
        return json.dumps(plain_object(self))

    @classmethod
    def from_json(cls, text: str) -> TrainingRequest:
        """The inverse of ``to_json``."""
        return read_object(parse_json(text, "a training request"), cls, "a training request")


@dataclass(frozen=True, slots=True)
class TrainingOutput:
    """The result of a training, and the files it left.

    Attributes:
        result: For the record.
        stopped_early: Why it was stopped early, None if it was not. A training that is to go to its
            end stops early only if it diverges.
        model: Path of the int8 .tflite file; None if it was stopped early.
        keras: Path of the Keras model; None if it was stopped early.
        zeros: Weights that are exactly zero.
        conversion_seconds: Compute time of the conversion and of the int8 errors.
    """

    result: TrainingResult
    stopped_early: str | None = None
    model: str | None = None
    keras: str | None = None
    zeros: int = 0
    conversion_seconds: float = 0.0

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return plain_object(self)

    @classmethod
    def from_json_dict(cls, data: Any) -> TrainingOutput:
        """The inverse of ``to_json_dict``.

        Raises:
            StoreError: Fields are missing, unknown or of the wrong type.
        """
        if not isinstance(data, dict) or data.keys() != {f.name for f in fields(cls)}:
            raise StoreError(f"a training process sent {str(data)[:80]!r}; report it")
        return read_object(data, cls, "the output of a training process")


Request: TypeAlias = MeasurementRequest | TrainingRequest
Result: TypeAlias = Measurement | TrainingOutput
ResultFuture: TypeAlias = Future[Measurement] | Future[TrainingOutput]

_Request = TypeVar("_Request", contravariant=True)
_Result = TypeVar("_Result")


class Executor(Protocol[_Request, _Result]):
    """Works on requests elsewhere: in threads, in processes, on a board."""

    @property
    def busy_seconds(self) -> float:
        """Wall-clock time that it has spent on requests so far."""
        ...

    def submit(self, request: _Request) -> Future[_Result]:
        """Queue a request; returns at once. What goes wrong is the future's exception."""
        ...

    def close(self) -> None:
        """Let go of threads, processes and board; futures that have no result are cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Executors:
    """The executors of a study.

    Attributes:
        training: Trains candidates.
        board: Measures networks; None where no candidate needs it.
    """

    training: Executor[TrainingRequest, TrainingOutput]
    board: Executor[MeasurementRequest, Measurement] | None

    def submit(self, request: Request) -> ResultFuture:
        """Hand a request to the executor of its kind."""
        if isinstance(request, TrainingRequest):
            return self.training.submit(request)
        if self.board is not None:
            return self.board.submit(request)
        refused: Future[Measurement] = Future()
        refused.set_exception(DeviceError("this study has no board; report it"))
        return refused

    def close(self) -> None:
        """Close all of them."""
        self.training.close()
        if self.board is not None:
            self.board.close()
