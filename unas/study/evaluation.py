# SPDX-License-Identifier: Apache-2.0
"""The way of one candidate through the stages, as a coroutine."""

from __future__ import annotations

import time
import traceback
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

from unas.artifact import Flatbuffer
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
from unas.graph.pruning import pruned_weights
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
from unas.search.strategy import Proposal
from unas.study.context import EvaluationContext
from unas.study.networks import evenly_kept, exported, pruned_to
from unas.study.requests import Answer, AskBoard, AskTraining, Judging, Request, TrainingAnswer
from unas.tflite.reader import read_flatbuffer
from unas.tflite.writer import write_flatbuffer

_DRAWN_WEIGHTS = 0  # seed of weights that only the board sees


class Evaluator:
    """Judges candidates, cheapest stage first; see ``docs/architecture.md``.

    Before training, a candidate that is to lose channels is judged as the network that even pruning
    would leave. If that one violates a bound, the candidate is INFEASIBLE and costs no training.
    After training all is judged anew on the network that came out, so that every number of a record
    belongs to one and the same network.
    """

    def __init__(self, setting: EvaluationContext) -> None:
        self._setting = setting

    def judge(self, proposal: Proposal) -> Judging:
        """Judge one candidate; see ``Judging``. Its own errors become a FAILED record.

        So do those that nobody foresaw: a study that ended with one would propose the same
        candidate when it is resumed, and end again.
        """
        case = _Case(proposal)
        try:
            if not (yield from self._before(case)):
                return case.record(Outcome.INFEASIBLE)
            answer = yield from self._train(case)
            if answer.hopeless is not None:
                return case.record(Outcome.STOPPED_EARLY, answer.hopeless)
            yield from self._after(case, answer)
        except (ArenaTooSmallError, FlashOverflowError) as error:
            return case.record(Outcome.INFEASIBLE, str(error))
        except UnasError as error:
            if isinstance(error, WorkerError):
                case.stage = Stage(error.stage)
            return case.record(Outcome.FAILED, str(error))
        except Exception as error:
            return case.record(Outcome.FAILED, _unforeseen(error))
        case.stage = Stage.DONE
        self._fits(case)
        return case.record(Outcome.COMPLETE)

    def judge_again(self, record: Record, again: int) -> Generator[Request, Answer, FinalTraining]:
        """Train a record's candidate once more, with another seed, to the end.

        Raises:
            UnasError: Training or the board failed, or what nobody foresaw: as a ``WorkerError``.
        """
        case = _Case(Proposal(record.index, record.candidate))
        try:
            answer = yield from self._train(case, again)
            if answer.hopeless is None:
                yield from self._after(case, answer)
        except UnasError:
            raise
        except Exception as error:
            raise WorkerError(_unforeseen(error), str(case.stage)) from error
        sha256 = record.candidate.sha256
        return FinalTraining(sha256, answer.result, dict(case.values), answer.hopeless)

    def seed_of(self, record: Record, again: int) -> int:
        """Seed of the n-th training after the search."""
        return self._setting.training_seed(record.index, again)

    def _before(self, case: _Case) -> Generator[Request, Answer, bool]:
        """All that is known without training; False if it violates a bound."""
        setting, candidate = self._setting, case.proposal.candidate
        with case.timed(Stage.RESOURCES):
            dense = setting.space.graph(
                candidate.architecture, setting.input_shape, setting.num_classes
            )
            graph = exported(dense)
            case.figures = setting.figures(graph)
            zeros = 0
            if setting.structured and candidate.sparsity:
                case.unpruned = case.figures
                graph = exported(pruned_to(dense, evenly_kept(dense, candidate.sparsity)))
                case.figures = setting.figures(graph)
            elif candidate.sparsity:
                zeros = pruned_weights(dense, candidate.sparsity)
            case.values = setting.values(case.figures, zeros=zeros)
        if not self._fits(case):
            return False
        return (yield from self._latency_before(case, graph))

    def _latency_before(self, case: _Case, graph: Graph) -> Generator[Request, Answer, bool]:
        setting = self._setting
        if setting.mode is LatencyMode.MACS:
            return True
        with case.timed(Stage.PREDICTION):
            case.figures = setting.predicted(graph, _known(case.figures))
            latency = case.figures.latency_us
        straddles = setting.straddles(latency) and setting.study.latency.ask
        if setting.mode is LatencyMode.PREDICTED and not straddles:
            if latency is not None:
                case.values["latency_us"] = latency.value
            return self._fits(case)
        with case.timed(Stage.EXPORT):
            name = case.proposal.candidate.short_id
            model = write_flatbuffer(graph, seed=_DRAWN_WEIGHTS, name=name)
            case.figures = replace(_known(case.figures), flatbuffer_bytes=model.flatbuffer_bytes)
        yield from self._ask_board(case, model)
        return self._fits(case)

    def _train(self, case: _Case, again: int = 0) -> Generator[Request, Answer, TrainingAnswer]:
        seed = self._setting.training_seed(case.proposal.index, again)
        with case.timed(Stage.TRAINING):
            answer = yield AskTraining(case.proposal.candidate, seed, to_the_end=again > 0)
        if not isinstance(answer, TrainingAnswer):
            raise WorkerError("a training was answered with a measurement; report it")
        case.seconds[str(Stage.CONVERSION)] = answer.conversion_seconds
        case.seconds[str(Stage.TRAINING)] -= answer.conversion_seconds
        case.training = answer.result
        return answer

    def _after(self, case: _Case, answer: TrainingAnswer) -> Generator[Request, Answer, None]:
        """All that is known of the trained network, whose figures take the place of the others."""
        case.stage = Stage.CONVERSION
        model = _read(answer.model, case.proposal.candidate.short_id)
        graph = read_flatbuffer(model.data, model.name)
        setting = self._setting
        figures = replace(setting.figures(graph), flatbuffer_bytes=model.flatbuffer_bytes)
        zeros = 0 if setting.structured else answer.zeros
        case.measurement = None
        case.values = setting.values(figures, zeros=zeros)
        if answer.result.val_error is not None:
            case.values["error"] = answer.result.val_error
        case.figures = figures
        if setting.mode is LatencyMode.MACS:
            return
        case.figures = setting.predicted(graph, figures)
        latency = case.figures.latency_us
        if setting.mode is LatencyMode.PREDICTED and latency is not None:
            case.values["latency_us"] = latency.value
            asks = setting.straddles(latency) or setting.enters_front(case.values)
            if not (asks and setting.study.latency.ask):
                return
        yield from self._ask_board(case, model)

    def _ask_board(self, case: _Case, model: Flatbuffer) -> Generator[Request, Answer, None]:
        with case.timed(Stage.BOARD):
            found = yield AskBoard(model)
        if not isinstance(found, Measurement):
            raise DeviceError("a measurement was answered with a training; report it")
        if found.output.mismatches:
            raise DeviceError(
                f"{model.name}: {found.output.mismatches} of {found.output.output_bytes} output "
                f"bytes differ from {found.output.golden}; report it with the model"
            )
        case.measurement = MeasuredFigures.of(found)
        case.values["latency_us"] = case.measurement.latency_us

    def _fits(self, case: _Case) -> bool:
        case.violations = self._setting.study.judged.violations(case.values)
        return not case.violations


@dataclass(slots=True)
class _Case:
    """What is known so far."""

    proposal: Proposal
    stage: Stage = Stage.RESOURCES
    values: dict[str, float] = field(default_factory=dict)
    violations: dict[str, float] = field(default_factory=dict)
    figures: Figures | None = None
    unpruned: Figures | None = None
    measurement: MeasuredFigures | None = None
    training: TrainingResult | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def timed(self, stage: Stage) -> _Timed:
        self.stage = stage
        return _Timed(self, stage)

    def record(self, outcome: Outcome, cause: str | None = None) -> Record:
        return Record(
            index=self.proposal.index,
            candidate=self.proposal.candidate,
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


class _Timed:
    """Adds up the seconds of a stage, waiting included."""

    def __init__(self, case: _Case, stage: Stage) -> None:
        self._case, self._stage = case, str(stage)

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        seconds = self._case.seconds
        taken = time.monotonic() - self._began
        seconds[self._stage] = seconds.get(self._stage, 0.0) + taken


def _unforeseen(error: Exception) -> str:
    """What a bug of ours says, with its place: the traceback is lost with the candidate."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return f"{type(error).__name__} in {where}: {error}; report it with the candidate"


def _known(figures: Figures | None) -> Figures:
    if figures is None:
        raise ModelError("figures are asked for before there are any; report it")
    return figures


def _read(path: str | None, name: str) -> Flatbuffer:
    if path is None:
        raise ModelError(f"{name}: training left no model; report it")
    try:
        return Flatbuffer(Path(path).read_bytes(), name)
    except OSError as error:
        raise ModelError(
            f"{name}: cannot read the trained model: {error.strerror}; check the disk"
        ) from error
