# SPDX-License-Identifier: Apache-2.0
"""A study without TensorFlow and boards: made-up errors and cycles, real everything else."""

from __future__ import annotations

import hashlib
import os
import signal
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from unas.artifact import Flatbuffer
from unas.config import StudyConfig
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
from unas.study.context import evenly_kept, exported, pruned_to
from unas.study.requests import TrainingOutput, TrainingRequest
from unas.study.training import CandidateTrainer, TrainingSetup
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
        stops_at: Likewise: stopped early, unless it is to go to the end.
        diverges_at: Digits that end a training's seed: its loss becomes not a number.
    """

    study: str
    folder: str
    input_shape: tuple[int, int, int] = (8, 8, 1)
    num_classes: int = 10
    dies_at: str = ""
    fails_at: str = ""
    stops_at: str = ""
    diverges_at: str = ""

    @classmethod
    def of(cls, study: StudyConfig, folder: Path, threads: int = 1) -> FakeTraining:
        """As ``StudyPlan.training`` wants it; the number of threads does not matter."""
        return cls(study.to_toml(), str(folder))

    def open(self) -> CandidateTrainer:
        """Nothing is loaded."""
        return _FakeTrainer(self)


class _FakeTrainer:
    def __init__(self, setup: FakeTraining) -> None:
        self._setup, self._study = setup, study_from_toml(setup.study, "the study", "study")
        self._space = find_space(self._study.space.name, self._study.space.options)

    def train(self, request: TrainingRequest) -> TrainingOutput:
        """Write the network that even pruning leaves."""
        setup, candidate = self._setup, request.candidate
        last = candidate.short_id[-1]
        if last in setup.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if last in setup.fails_at:
            raise WorkerError("the converter refuses it", "conversion")
        graph = self._space.graph(candidate.architecture, setup.input_shape, setup.num_classes)
        kept = None
        if candidate.sparsity and self._study.pruning and self._study.pruning.structured:
            kept = evenly_kept(graph, candidate.sparsity)
            graph = pruned_to(graph, kept)
        error = _error(graph, request.seed)
        result = TrainingResult(request.seed, 1, 0, error, error, error, error, None, kept)
        stopped = replace(result, val_error=None, test_error=None, float_test_error=None)
        if last in setup.stops_at and not request.to_the_end:
            return TrainingOutput(stopped, "stopped early: its digest says so")
        if str(request.seed)[-1] in setup.diverges_at:
            return TrainingOutput(stopped, "diverged: its seed says so")
        model = write_flatbuffer(exported(graph), seed=request.seed % 1000, name=candidate.short_id)
        place = Path(setup.folder) / f"{candidate.short_id}-{request.seed}"
        place.mkdir(parents=True, exist_ok=True)
        path, keras = place / "model.tflite", place / "model.keras"
        path.write_bytes(model.data)
        keras.write_bytes(b"no network")
        trained = replace(result, model_sha256=model.sha256)
        return TrainingOutput(trained, model=str(path), keras=str(keras))


def _error(graph: Graph, seed: int) -> float:
    chance = int(hashlib.sha256(str(seed).encode()).hexdigest()[:4], 16) / 0xFFFF
    return round(0.6 / (1.0 + estimate(graph).model_size_bytes / 1500) + 0.02 * chance, 4)


class InlineTraining:
    """An executor that trains in the calling thread: no processes, so that tests are fast."""

    busy_seconds = 0.0

    def __init__(self, training: TrainingSetup, count: int = 1) -> None:
        """Open at the first request; ``count`` does not matter."""
        self._training = training
        self._trainer: CandidateTrainer | None = None
        self.requests = 0

    def submit(self, request: TrainingRequest) -> Future[TrainingOutput]:
        """Train at once."""
        self.requests += 1
        self._trainer = self._trainer or self._training.open()
        future: Future[TrainingOutput] = Future()
        try:
            future.set_result(self._trainer.train(request))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Nothing to end."""


class FakeBoard:
    """Takes a fixed number of cycles for each multiply-accumulate; keeps what it measured."""

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
            breaks_at: Numbers of the measurements, from 0, that fail.
            kernels: The kernels that it reports.
        """
        self._cycles_per_mac, self._breaks_at = cycles_per_mac, breaks_at
        self._kernels = kernels
        self.measured: list[Flatbuffer] = []

    def measure(self, model: Flatbuffer) -> Measurement:
        """Time it.

        Raises:
            DeviceError: It breaks this time.
        """
        self.measured.append(model)
        if len(self.measured) - 1 in self._breaks_at:
            raise DeviceError(f"{model.name}: the board is on fire; put it out")
        return fake_measurement(model, self._cycles_per_mac, self._kernels)


def fake_measurement(model: Flatbuffer, cycles_per_mac: float, kernels: str) -> Measurement:
    """A made-up measurement of a network."""
    graph = read_flatbuffer(model.data, model.name)
    counts = estimate(graph)
    cycles = {op.position: round(op.paper_macs * cycles_per_mac) + 100 for op in counts.operators}
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
        arena=ArenaUse(counts.peak_memory_bytes, counts.peak_memory_bytes, 0, 0, 1 << 20),
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
