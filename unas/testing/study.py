# SPDX-License-Identifier: Apache-2.0
"""A study without TensorFlow and boards: made-up errors and cycles, real everything else."""

from __future__ import annotations

import hashlib
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path

from unas.artifact import Flatbuffer
from unas.config.load import study_from_toml
from unas.errors import DeviceError, WorkerError
from unas.graph import Graph
from unas.record import (
    ArenaUse,
    Measurement,
    OperatorCycles,
    OutputCheck,
    Provenance,
    TrainingResult,
)
from unas.resources.estimate import estimate
from unas.space.catalogue import find_space
from unas.study.networks import evenly_kept, exported, pruned_to
from unas.study.requests import AskBoard, AskTraining, TrainingAnswer
from unas.study.scheduler import Answered, Answers
from unas.study.training import Trainer, Training
from unas.tflite.reader import read_flatbuffer
from unas.tflite.writer import write_flatbuffer

CLOCK_HZ = 1_000_000


@dataclass(frozen=True, slots=True)
class FakeTraining:
    """Trains nothing: what is larger errs less, and seeds differ a little.

    Attributes:
        study: As TOML; its space and pruning count.
        folder: Where networks are written.
        input_shape: (height, width, channels).
        num_classes: Classes.
        dies_at: Digits that end a candidate's ``short_id``: its process kills itself.
        fails_at: Likewise: an error of the conversion.
        hopeless_at: Likewise: given up, unless it is to go to the end.
        diverges_at: Digits that end a training's seed: its loss is no number any more.
    """

    study: str
    folder: str
    input_shape: tuple[int, int, int] = (8, 8, 1)
    num_classes: int = 10
    dies_at: str = ""
    fails_at: str = ""
    hopeless_at: str = ""
    diverges_at: str = ""

    def open(self) -> Trainer:
        """Nothing is loaded."""
        return _FakeTrainer(self)


class _FakeTrainer:
    def __init__(self, what: FakeTraining) -> None:
        self._what, self._study = what, study_from_toml(what.study, "the study", "study")
        self._space = find_space(self._study.space.name, self._study.space.options)

    def train(self, job: AskTraining) -> TrainingAnswer:
        """Write the network that even pruning leaves."""
        what, candidate = self._what, job.candidate
        last = candidate.short_id[-1]
        if last in what.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if last in what.fails_at:
            raise WorkerError("the converter refuses it", "conversion")
        graph = self._space.graph(candidate.architecture, what.input_shape, what.num_classes)
        kept = None
        if candidate.sparsity and self._study.pruning and self._study.pruning.structured:
            kept = evenly_kept(graph, candidate.sparsity)
            graph = pruned_to(graph, kept)
        error = _error(graph, job.seed)
        result = TrainingResult(job.seed, 1, 0, error, error, error, error, None, kept)
        given_up = replace(result, val_error=None, test_error=None, float_test_error=None)
        if last in what.hopeless_at and not job.to_the_end:
            return TrainingAnswer(given_up, "no prospects")
        if str(job.seed)[-1] in what.diverges_at:
            return TrainingAnswer(given_up, "it diverged")
        model = write_flatbuffer(exported(graph), seed=job.seed % 1000, name=candidate.short_id)
        place = Path(what.folder) / f"{candidate.short_id}-{job.seed}"
        place.mkdir(parents=True, exist_ok=True)
        path, keras = place / "model.tflite", place / "model.keras"
        path.write_bytes(model.data)
        keras.write_bytes(b"no network")
        trained = replace(result, model_sha256=model.sha256)
        return TrainingAnswer(trained, model=str(path), keras=str(keras))


def _error(graph: Graph, seed: int) -> float:
    chance = int(hashlib.sha256(str(seed).encode()).hexdigest()[:4], 16) / 0xFFFF
    return round(0.6 / (1.0 + estimate(graph).model_size_bytes / 1500) + 0.02 * chance, 4)


class InlineTrainings:
    """Trains in the calling thread: no processes, so that tests are fast."""

    def __init__(self, training: Training, count: int, answers: Answers) -> None:
        """Open at the first job; ``count`` does not matter."""
        self._training, self._answers = training, answers
        self._trainer: Trainer | None = None
        self.jobs = 0

    def submit(self, ticket: int, job: AskTraining) -> None:
        """Train at once."""
        self.jobs += 1
        self._trainer = self._trainer or self._training.open()
        try:
            self._answers.put(Answered(ticket, self._trainer.train(job)))
        except WorkerError as error:
            self._answers.put(Answered(ticket, error))

    def close(self) -> None:
        """Nothing to end."""


class FakeBoard:
    """Takes a fixed number of cycles for each multiply-accumulate; counts what it is asked."""

    def __init__(
        self,
        *,
        cycles_per_mac: float = 10.0,
        breaks_at: frozenset[int] = frozenset(),
        kernels: str = "plain",
    ) -> None:
        """A board.

        Args:
            cycles_per_mac: Its speed.
            breaks_at: Numbers of the requests, from 0, that fail.
            kernels: What it says of its kernels.
        """
        self._cycles_per_mac, self._breaks_at = cycles_per_mac, breaks_at
        self._kernels = kernels
        self.asked: list[AskBoard] = []

    def measure(self, model: Flatbuffer) -> Measurement:
        """Time it.

        Raises:
            DeviceError: It breaks this time.
        """
        self.asked.append(AskBoard(model))
        if len(self.asked) - 1 in self._breaks_at:
            raise DeviceError(f"{model.name}: the board is on fire; put it out")
        return fake_measurement(model, self._cycles_per_mac, self._kernels)


def fake_measurement(model: Flatbuffer, cycles_per_mac: float, kernels: str) -> Measurement:
    """What a fake board says of a network."""
    graph = read_flatbuffer(model.data, model.name)
    found = estimate(graph)
    cycles = {op.position: round(op.paper_macs * cycles_per_mac) + 100 for op in found.operators}
    total = sum(cycles.values())
    operators = tuple(
        OperatorCycles(i, str(op.kind), cycles[i]) for i, op in enumerate(graph.operators)
    )
    return Measurement(
        model_sha256=model.sha256,
        model_name=model.name,
        flatbuffer_bytes=model.flatbuffer_bytes,
        provenance=Provenance.EMULATED,
        timing="fake",
        board_id="fake",
        runtime="builtin",
        runtime_revision="0",
        kernels=kernels,
        unit="fake",
        clock_hz=CLOCK_HZ,
        cold_cycles=total,
        samples_cycles=(total,),
        operators=operators,
        profiled_cycles=total,
        instructions=None,
        arena=ArenaUse(found.peak_memory_bytes, found.peak_memory_bytes, 0, 0, 1 << 20),
        flash_bytes=1000 + model.flatbuffer_bytes,
        region_bytes={},
        program_bytes=1000,
        output=OutputCheck("fake", 10, 0),
        output_sha256="0" * 64,
        input_seed=1,
        warmup=0,
        info={},
        events=(),
    )
