# SPDX-License-Identifier: Apache-2.0
"""What judging asks for while it waits: a measurement, or a training."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from unas._codec import plain_object, read_object
from unas._text import parse_json
from unas.artifact import Flatbuffer
from unas.candidate import Candidate
from unas.errors import StoreError
from unas.record import Measurement, Record, TrainingResult


@dataclass(frozen=True, slots=True)
class AskBoard:
    """Time a network on the board.

    Attributes:
        model: The network.
    """

    model: Flatbuffer


@dataclass(frozen=True, slots=True)
class AskTraining:
    """Train a candidate.

    Attributes:
        candidate: Its genes.
        seed: Of weights, order and augmentation.
        to_the_end: Whether it goes on without prospects: of a mean over seeds none may be missing
            because it was a bad one.
    """

    candidate: Candidate
    seed: int
    to_the_end: bool = False

    def to_json(self) -> str:
        """One line of JSON, for another process."""
        return json.dumps(plain_object(self))

    @classmethod
    def from_json(cls, text: str) -> AskTraining:
        """The inverse of ``to_json``."""
        return read_object(parse_json(text, "a job"), cls, "a job")


@dataclass(frozen=True, slots=True)
class TrainingAnswer:
    """How a training went.

    Attributes:
        result: For the record.
        hopeless: Why it was given up; None if it was not. One that was to go to its end is given up
            only if it diverged.
        model: Path of the int8 .tflite file; None if it was given up.
        keras: Path of the Keras model, likewise.
        zeros: Weights that are exactly zero.
        conversion_seconds: Of the host: conversion, and the int8 errors.
    """

    result: TrainingResult
    hopeless: str | None = None
    model: str | None = None
    keras: str | None = None
    zeros: int = 0
    conversion_seconds: float = 0.0

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return plain_object(self)

    @classmethod
    def from_json_dict(cls, data: Any) -> TrainingAnswer:
        """The inverse of ``to_json_dict``.

        Raises:
            StoreError: Fields are missing, unknown or of the wrong type.
        """
        if not isinstance(data, dict) or data.keys() != {f.name for f in fields(cls)}:
            raise StoreError(f"a worker answered {str(data)[:80]!r}; report it")
        return read_object(data, cls, "a worker's answer")


Request: TypeAlias = AskBoard | AskTraining
Answer: TypeAlias = Measurement | TrainingAnswer
Judging: TypeAlias = Generator[Request, Answer, Record]
"""Judging one candidate: yields what it needs, is sent the answers (or thrown what went wrong, a
``UnasError``), and returns the record."""
