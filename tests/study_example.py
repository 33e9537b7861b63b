# SPDX-License-Identifier: Apache-2.0
"""A study's results folder, written by the real journal; errors and latencies are made up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from unas.candidate import Candidate
from unas.config import StudyConfig
from unas.config.load import study_from_toml
from unas.record import (
    Figures,
    FinalTraining,
    MeasuredFigures,
    Outcome,
    Prediction,
    Provenance,
    Record,
    Stage,
    TrainingResult,
)
from unas.resources.estimate import estimate
from unas.space.catalogue import find_space
from unas.store.journal import Journal
from unas.strategies.pareto import pareto_front
from unas.tflite.order import exported_graph
from unas.tflite.writer import write_flatbuffer

SHAPE, CLASSES = (8, 8, 1), 10


def timeless(record: Record) -> Record:
    """Without times of the host: equal in two runs of one study with one worker."""
    training = record.training and replace(record.training, seconds=0.0)
    return replace(record, training=training, seconds={})


STUDY = """
schema = 1
[data]
name = "digits"
[constraints]
error = 0.10
peak_memory = "4KB"
model_size = "8KB"
macs = 60_000
latency = "0.5ms"
[search]
rounds = {rounds}
seed = {seed}
[latency]
mode = "{mode}"
"""
ENVIRONMENT = {
    "unas": "0.1.0",
    "python": "3.11",
    "data": {
        "name": "digits",
        "input_shape": list(SHAPE),
        "num_classes": CLASSES,
        "class_names": [str(i) for i in range(CLASSES)],
    },
}


def example_config(mode: str = "predicted", seed: int = 0, rounds: int = 60) -> StudyConfig:
    """The study file."""
    return study_from_toml(STUDY.format(mode=mode, seed=seed, rounds=rounds), "here", "example")


def write_example(
    folder: Path, mode: str = "predicted", seed: int = 0, rounds: int = 60
) -> StudyConfig:
    """Write journal, environment and the networks of the front."""
    study = example_config(mode, seed, rounds)
    rng = np.random.default_rng(seed)
    space = find_space("cnn", {"blocks": [1, 3], "filters": [1, 16], "units": [10, 24]})
    records = [_record(i, Candidate(space.random(rng)), study, rng) for i in range(rounds)]
    front = pareto_front(records, tuple(study.judged.bounds()))
    kept = {record.index: _keep(folder, record) for record in front}
    records = [kept.get(record.index, record) for record in records]
    with Journal(folder / "journal.jsonl", study) as journal:
        for record in records:
            journal.append(record)
        for record in kept.values():
            for final in range(3):
                journal.append(_final(record, final, rng))
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT))
    return study


def _keep(folder: Path, record: Record) -> Record:
    """Write a network's files; its record then names them."""
    place = folder / "networks" / record.candidate.short_id
    place.mkdir(exist_ok=True, parents=True)
    graph = exported_graph(record.candidate.architecture, SHAPE, CLASSES)
    model = write_flatbuffer(graph, seed=0, name="net")
    (place / "model.tflite").write_bytes(model.data)
    (place / "model.keras").write_bytes(b"weights")
    assert record.training is not None
    return replace(record, training=replace(record.training, model_sha256=model.sha256))


def _final(record: Record, seed: int, rng: np.random.Generator) -> FinalTraining:
    assert record.training is not None
    error = float(record.training.val_error or 0.0) * rng.uniform(0.9, 1.3)
    training = replace(record.training, seed=seed, val_error=error, test_error=error * 1.1)
    return FinalTraining(record.candidate.sha256, training, record.values)


def _record(i: int, candidate: Candidate, study: StudyConfig, rng: np.random.Generator) -> Record:
    found = estimate(exported_graph(candidate.architecture, SHAPE, CLASSES))
    latency = 40.0 + 9e-3 * found.paper_macs * rng.uniform(0.7, 1.4)
    figures = Figures(
        macs=found.macs,
        paper_macs=found.paper_macs,
        model_size_bytes=found.model_size_bytes,
        peak_memory_bytes=found.peak_memory_bytes,
        peak_memory_without_input_bytes=found.peak_memory_without_input_bytes,
        flatbuffer_bytes=found.model_size_bytes + 2000,
        latency_us=Prediction(latency, latency * 0.95, latency * 1.06),
        arena_used_bytes=Prediction(2.0 * found.peak_memory_bytes, 900.0, 9e4),
    )
    values: dict[str, float] = {
        "macs": float(found.macs),
        "peak_memory_bytes": float(found.peak_memory_bytes),
        "model_size_bytes": float(found.model_size_bytes),
        "latency_us": latency,
    }
    asked = rng.random() < 0.4
    if asked:
        latency *= rng.uniform(0.98, 1.02)
        values["latency_us"] = latency
    measurement = _measured(latency, found.model_size_bytes) if asked else None
    base = Record(i, candidate, Outcome.FAILED, Stage.TRAINING, cause="worker killed by signal 9")
    if i % 13 == 7:
        return base
    violations = study.judged.violations(values)
    base = replace(base, cause=None, values=values, figures=figures, measurement=measurement)
    if any(ratio > 4 for ratio in violations.values()):
        return replace(
            base, outcome=Outcome.INFEASIBLE, stage=Stage.RESOURCES, violations=violations
        )
    error = float(0.9 / (1 + 0.002 * found.model_size_bytes) * rng.uniform(0.4, 1.2))
    values = {**values, "error": error}
    training = TrainingResult(
        0, 20, 17, error, error * 1.1, error * 0.98, error * 1.08, "b" * 64, None, 3.0
    )
    return replace(
        base, outcome=Outcome.COMPLETE, stage=Stage.DONE, values=values, training=training,
        violations=study.judged.violations(values), seconds={"training": 3.0},
    )  # fmt: skip


def _measured(latency_us: float, size: int) -> MeasuredFigures:
    return MeasuredFigures(
        "b" * 64, Provenance.EMULATED, "pipeline+memory", "f746", "builtin", latency_us,
        3 * 1024, 30_000 + size, True,
    )  # fmt: skip
