# SPDX-License-Identifier: Apache-2.0
"""The way of one candidate through the stages, as a coroutine."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from unas.artifact import Flatbuffer
from unas.candidate import Candidate
from unas.config import LatencyMode
from unas.errors import (
    ArenaTooSmallError,
    DeviceError,
    FlashOverflowError,
    ModelError,
    UnasError,
    WorkerError,
)
from unas.graph import Graph
from unas.record import (
    Figures,
    FinalTraining,
    MeasuredFigures,
    Measurement,
    Outcome,
    Record,
    Stage,
    TrainingResult,
)
from unas.store.measurements import LoggedMeasurement
from unas.strategies.strategy import Proposal
from unas.study.context import EstimatedNetwork, EvaluationContext
from unas.study.requests import (
    MeasurementRequest,
    Request,
    Result,
    TrainingOutput,
    TrainingRequest,
)
from unas.tflite.reader import read_flatbuffer
from unas.tflite.writer import write_flatbuffer

_UNTRAINED_SEED = 0  # of random weights, which only the board uses
_Entry = TypeVar("_Entry", Record, FinalTraining)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Evaluated(Generic[_Entry]):
    """What an evaluation gives: all that a study stores of it.

    Attributes:
        entry: For the journal.
        findings: Whole measurements that were made on the way.
        output: Of the training, with the files it left; None if there was none.
    """

    entry: _Entry
    findings: tuple[LoggedMeasurement, ...] = ()
    output: TrainingOutput | None = None


Evaluation: TypeAlias = Generator[Request, Result, Evaluated[_Entry]]
"""A coroutine: yields requests, is sent their results (or thrown what went wrong)."""
_Step: TypeAlias = Generator[Request, Result, _T]


class Evaluator:
    """Evaluates candidates, cheapest stage first; see ``docs/architecture.md``.

    Before training, a candidate that is to lose channels is evaluated as the network that even
    pruning would leave. If that one violates a constraint, the candidate is INFEASIBLE and costs no
    training. After training everything is computed anew for the network that came out, so that
    every number of a record belongs to one and the same network.
    """

    def __init__(self, context: EvaluationContext) -> None:
        self._context = context

    def evaluate(self, proposal: Proposal) -> Evaluation[Record]:
        """Evaluate one candidate. What goes wrong with it becomes a FAILED record.

        So do bugs of ours: a study that ended with one would propose the same candidate when it is
        resumed, and end again.
        """
        draft = _Draft(proposal.index, proposal.candidate)
        outcome, cause = yield from self._outcome(draft)
        return Evaluated(draft.record(outcome, cause), tuple(draft.findings), draft.output)

    def repeat(self, record: Record, repeat: int) -> Evaluation[FinalTraining]:
        """Train a record's candidate once more, with another seed, to the end.

        Args:
            record: Of the candidate.
            repeat: Number of the training after the search, from 1.

        Raises:
            UnasError: Training or the board failed, or there is a bug: as a ``WorkerError``.
        """
        draft = _Draft(record.index, record.candidate, repeat)
        try:
            output = yield from self._train(draft)
            if output.stopped_early is None:
                yield from self._after_training(draft, output)
        except UnasError:
            raise
        except Exception as error:
            raise WorkerError(internal_error(error), str(draft.stage)) from error
        sha256, cause = record.candidate.sha256, output.stopped_early
        final = FinalTraining(sha256, output.result, dict(draft.values), cause)
        return Evaluated(final, tuple(draft.findings), output)

    def repeat_seed(self, record: Record, repeat: int) -> int:
        """Seed of the n-th training of a record's candidate after the search."""
        return self._context.training_seed(record.index, repeat)

    def _outcome(self, draft: _Draft) -> _Step[tuple[Outcome, str | None]]:
        """All stages; how they ended, and why."""
        try:
            if not (yield from self._before_training(draft)):
                return Outcome.INFEASIBLE, None
            output = yield from self._train(draft)
            if output.stopped_early is not None:
                return Outcome.STOPPED_EARLY, output.stopped_early
            yield from self._after_training(draft, output)
        except (ArenaTooSmallError, FlashOverflowError) as error:
            return Outcome.INFEASIBLE, str(error)
        except UnasError as error:
            if isinstance(error, WorkerError):
                draft.stage = Stage(error.stage)
            return Outcome.FAILED, str(error)
        except Exception as error:
            return Outcome.FAILED, internal_error(error)
        draft.stage = Stage.DONE
        self._is_feasible(draft)
        return Outcome.COMPLETE, None

    def _before_training(self, draft: _Draft) -> _Step[bool]:
        """All that is known without training; False if it violates a constraint."""
        context = self._context
        with draft.timed(Stage.RESOURCES):
            network = context.untrained(draft.candidate)
            draft.take(network)
        if not self._is_feasible(draft):
            return False
        if context.mode is LatencyMode.MACS:
            return True
        with draft.timed(Stage.PREDICTION):
            figures = draft.figures = context.predicted(network)
        latency = figures.latency_us
        straddles = context.straddles(latency) and context.study.latency.ask
        if context.mode is LatencyMode.PREDICTED and not straddles:
            if latency is not None:
                draft.values["latency_us"] = latency.value
            return self._is_feasible(draft)
        with draft.timed(Stage.EXPORT):
            name = draft.candidate.short_id
            model = write_flatbuffer(network.graph, seed=_UNTRAINED_SEED, name=name)
            draft.figures = replace(figures, flatbuffer_bytes=model.flatbuffer_bytes)
        yield from self._measure(draft, model, read_flatbuffer(model.data, model.name))
        return self._is_feasible(draft)

    def _train(self, draft: _Draft) -> _Step[TrainingOutput]:
        seed = self._context.training_seed(draft.index, draft.repeat)
        with draft.timed(Stage.TRAINING):
            output = yield TrainingRequest(draft.candidate, seed, to_the_end=draft.repeat > 0)
        if not isinstance(output, TrainingOutput):
            raise WorkerError("the result of a training is a measurement; report it")
        draft.seconds[str(Stage.CONVERSION)] = output.conversion_seconds
        draft.seconds[str(Stage.TRAINING)] -= output.conversion_seconds
        draft.output = output
        return output

    def _after_training(self, draft: _Draft, output: TrainingOutput) -> _Step[None]:
        """All that is known of the trained network; it takes the place of what was expected."""
        context, draft.stage = self._context, Stage.CONVERSION
        model = _read_model(output.model, draft.candidate.short_id)
        network = context.trained(model, output.zeros)
        draft.take(network)
        if output.result.val_error is not None:
            draft.values["error"] = output.result.val_error
        if context.mode is LatencyMode.MACS:
            return
        draft.figures = context.predicted(network)
        latency = draft.figures.latency_us
        if context.mode is LatencyMode.PREDICTED and latency is not None:
            draft.values["latency_us"] = latency.value
            asks = context.straddles(latency) or context.enters_front(draft.values)
            if not (asks and context.study.latency.ask):
                return
        yield from self._measure(draft, model, network.graph)

    def _measure(self, draft: _Draft, model: Flatbuffer, graph: Graph) -> _Step[None]:
        """Ask the board about a model; the graph is that of the file."""
        with draft.timed(Stage.BOARD):
            measurement = yield MeasurementRequest(model)
        if not isinstance(measurement, Measurement):
            raise DeviceError("the result of a measurement is a training; report it")
        predictor = self._context.predictor
        sample = None if predictor is None else predictor.sample_of(graph, measurement)
        draft.findings.append(
            LoggedMeasurement(draft.index, draft.repeat_seed, measurement, sample)
        )
        if measurement.output.mismatches:
            raise DeviceError(
                f"{model.name}: {measurement.output.mismatches} of "
                f"{measurement.output.output_bytes} output bytes differ from "
                f"{measurement.output.golden}; report it with the model"
            )
        draft.measurement = MeasuredFigures.of(measurement)
        draft.values["latency_us"] = draft.measurement.latency_us

    def _is_feasible(self, draft: _Draft) -> bool:
        draft.violations = self._context.study.judged.violations(draft.values)
        return not draft.violations


@dataclass(slots=True)
class _Draft:
    """A record while it is being made: what is known of the candidate so far."""

    index: int
    candidate: Candidate
    repeat: int = 0
    stage: Stage = Stage.RESOURCES
    values: dict[str, float] = field(default_factory=dict)
    violations: dict[str, float] = field(default_factory=dict)
    figures: Figures | None = None
    unpruned: Figures | None = None
    measurement: MeasuredFigures | None = None
    output: TrainingOutput | None = None
    findings: list[LoggedMeasurement] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def training(self) -> TrainingResult | None:
        return None if self.output is None else self.output.result

    @property
    def repeat_seed(self) -> int | None:
        """Seed of a training after the search; None in the search."""
        return self.training.seed if self.repeat and self.training else None

    def take(self, network: EstimatedNetwork) -> None:
        """Take over a network; what was known of another one goes, but its unpruned figures."""
        self.figures, self.values = network.figures, dict(network.values)
        self.unpruned = network.unpruned or self.unpruned
        self.measurement = None

    @contextlib.contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Enter a stage, and add up its seconds, waiting included."""
        self.stage = stage
        began = time.monotonic()
        try:
            yield
        finally:
            taken = time.monotonic() - began
            self.seconds[str(stage)] = self.seconds.get(str(stage), 0.0) + taken

    def record(self, outcome: Outcome, cause: str | None) -> Record:
        return Record(
            index=self.index,
            candidate=self.candidate,
            outcome=outcome,
            stage=self.stage,
            values=self.values,
            violations=self.violations,
            figures=self.figures,
            unpruned=self.unpruned,
            measurement=self.measurement,
            training=self.training,
            cause=None if cause is None else " ".join(cause.split()),
            seconds={name: round(value, 3) for name, value in self.seconds.items()},
        )


def internal_error(error: Exception) -> str:
    """A bug in one line, with its place: the traceback is lost with the candidate."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return f"{type(error).__name__} in {where}: {error}; report it with the candidate"


def _read_model(path: str | None, name: str) -> Flatbuffer:
    if path is None:
        raise ModelError(f"{name}: training left no model; report it")
    try:
        return Flatbuffer(Path(path).read_bytes(), name)
    except OSError as error:
        raise ModelError(
            f"{name}: cannot read the trained model: {error.strerror}; check the disk"
        ) from error
