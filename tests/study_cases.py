# SPDX-License-Identifier: Apache-2.0
"""Small studies with made-up training and board."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from unas.config import StudyConfig
from unas.config.load import study_from_toml
from unas.cost.model import OPERATOR_LINEAR
from unas.cost.model_selection import fit_latency
from unas.cost.operators import ArenaLayout, calls_of
from unas.cost.types import KernelProfile, Sample
from unas.space.catalogue import find_space
from unas.store.study_folder import StudyResults
from unas.study.predictor import Calibrated
from unas.study.run import run_study
from unas.study.setup import StudyPlan, TrainingExecutor, checked_space
from unas.study.training import TrainingSetup
from unas.testing.study import CLOCK_HZ, FakeBoard, FakeTraining, InlineTraining, fake_measurement
from unas.tflite.order import exported_graph
from unas.tflite.writer import write_flatbuffer

SHAPE, CLASSES = (8, 8, 1), 10
TEXT = """
[data]
name = "digits"
[space.options]
blocks = [1, 2]
filters = [1, 16]
units = [10, 32]
[constraints]
error = 0.4
peak_memory = 300
model_size = 1600
macs = 2200
latency = "20ms"
[search]
rounds = 24
population = 8
sample = 4
final_seeds = 2
[training]
epochs = 2
[pruning]
finish_epoch = 1
max_sparsity = 0.6
[latency]
mode = "{mode}"
[board]
id = "f746"
"""


def study_of(mode: str = "macs", **search: int) -> StudyConfig:
    """The small study in one of the latency modes."""
    study = study_from_toml(TEXT.format(mode=mode), "test", "small")
    options: dict[str, Any] = dict(search)
    return replace(study, search=replace(study.search, **options))


def plan_of(
    study: StudyConfig,
    folder: Path,
    *,
    board: FakeBoard | None = None,
    calibrated: Calibrated | None = None,
    training_executor: Callable[[TrainingSetup, int], TrainingExecutor] = InlineTraining,
    training: Callable[[FakeTraining], TrainingSetup] = lambda fake: fake,
    resume: bool = False,
) -> StudyPlan:
    """A plan without TensorFlow."""
    return StudyPlan(
        study=study,
        folder=folder,
        space=checked_space(study, SHAPE, CLASSES),
        input_shape=SHAPE,
        num_classes=CLASSES,
        environment={"calibration": calibrated and {"sha256": "of the test"}},
        measure=board.measure if board else None,
        calibrated=calibrated,
        training=lambda *given: training(FakeTraining.of(*given)),
        training_executor=training_executor,
        resume=resume,
    )


def run_in(mode: str, folder: Path, *, resume: bool = False, **search: int) -> StudyResults:
    """Run the small study in one of the modes."""
    board = None if mode == "macs" else FakeBoard()
    known = calibrated() if mode == "predicted" else None
    plan = plan_of(study_of(mode, **search), folder, board=board, calibrated=known, resume=resume)
    return run_study(plan)


@cache
def calibrated(cycles_per_mac: float = 10.0) -> Calibrated:
    """A calibration of the fake board, by networks of the same space."""
    space = find_space("cnn", study_of().space.options)
    layout, profile = ArenaLayout("plain"), KernelProfile("plain")
    samples = []
    for seed in range(14):
        arch = space.random(np.random.default_rng(1000 + seed))
        graph = exported_graph(arch, SHAPE, CLASSES)
        model = write_flatbuffer(graph, seed=0, name=arch.short_id)
        found = fake_measurement(model, cycles_per_mac, "plain")
        cycles = tuple(float(op.cycles) for op in found.operators)
        samples.append(Sample(model.name, calls_of(graph, layout), found.median_cycles, cycles))
    identity = {
        "board": "fake",
        "runtime": "builtin",
        "runtime_revision": "0",
        "kernels": "plain",
        "provenance": "emulated",
        "timing": "fake",
    }
    fitted = fit_latency(samples, profile, layout, CLOCK_HZ, identity)
    return Calibrated(fitted.models[OPERATOR_LINEAR], tuple(samples))
