# SPDX-License-Identifier: Apache-2.0
"""Puts a study together: data set, calibration, bench and environment, from its configuration."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from unas._paths import cache_dir
from unas.artifact import Flatbuffer
from unas.board import load_board
from unas.config import LatencyMode, StudyConfig
from unas.config.load import study_from_dict
from unas.errors import StoreError
from unas.firmware.runtimes import find_runtime
from unas.hil.measure import Procedure
from unas.lab.bench import Bench, find_emulation, open_bench
from unas.lab.lab import measure_one
from unas.record import Measurement
from unas.space.catalogue import Space, find_space
from unas.store.cache import DirectoryStore
from unas.store.calibration import RESULTS, calibration_folder, read_models
from unas.store.measurements import read_samples
from unas.study.predictor import Calibrated
from unas.study.requests import Executor, TrainingOutput, TrainingRequest
from unas.study.results_folder import describe_study
from unas.study.scheduler import Measure
from unas.study.training import TrainingSetup, keras_training
from unas.study.training_worker import TrainingProcesses
from unas.train.datasets import load_dataset

TrainingExecutor: TypeAlias = Executor[TrainingRequest, TrainingOutput]
Log = Callable[[str], None]

_SAMPLES_FILE, _MODELS_FILE = "samples.jsonl", "models.json"


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What a run of a study needs.

    Attributes:
        study: What is searched.
        folder: Of its results.
        space: Of its networks, from ``checked_space``.
        input_shape: (height, width, channels) of the data set.
        num_classes: Of the data set.
        environment: From ``unas.study.results_folder.describe_study``.
        measure: Times a network on the board; None where no candidate needs it.
        calibrated: Models of the board; None where there are none.
        training: How candidates are trained: from the study, the folder for trained networks and
            the number of threads of each process.
        training_executor: Makes what trains: from how, and how many trainings at once.
        resume: Whether an existing journal goes on.
    """

    study: StudyConfig
    folder: Path
    space: Space
    input_shape: tuple[int, int, int]
    num_classes: int
    environment: Mapping[str, Any]
    measure: Measure | None = None
    calibrated: Calibrated | None = None
    training: Callable[[StudyConfig, Path, int], TrainingSetup] = keras_training
    training_executor: Callable[[TrainingSetup, int], TrainingExecutor] = TrainingProcesses
    resume: bool = False


def override_study(
    study: StudyConfig, *, name: str | None = None, **tables: Mapping[str, object | None]
) -> StudyConfig:
    """The study with other values in place of its own.

    Args:
        study: As its file says.
        name: Of the study.
        tables: By the name of a table, values by the name of a key; None leaves a key as it is.

    Raises:
        ConfigError: There is no such table or key, or a value is not possible.
    """
    table: dict[str, Any] = study.to_dict()
    for key, values in tables.items():
        given = {name: value for name, value in values.items() if value is not None}
        table[key] = table.get(key, {}) | given
    return study_from_dict(table | ({"name": name} if name else {}), "options", study.name)


def prepare_study(
    study: StudyConfig,
    results: Path,
    *,
    unit: str | None = None,
    resume: bool = False,
    log: Log | None = None,
) -> StudyPlan:
    """Find all that a study needs, ready for ``unas.study.run.run_study``. Nothing is written.

    Args:
        study: What to search.
        results: Directory of results; the study's go to a folder of its name.
        unit: A unit of ``hardware_map.toml``; None takes the one that is plugged in, or the virtual
            board.
        resume: Whether an existing journal goes on.
        log: Takes lines for people: which board is used, and what a device logs.

    Raises:
        ArchitectureError: The search space has no network for the data.
        ConfigError: There is no such board, unit, runtime, emulator, teacher or search space.
        DataError: There is no such data set, or it cannot be read.
        StoreError: There is no calibration although the latency is to be predicted.
    """
    board = source = measure = None
    if _needs_board(study):
        bench = _open_bench(study, unit, log)
        board, source, measure = bench.board, bench.source, _measure_on(bench, log)
    calibrated, calibration = _find_calibration(study, results)
    dataset = load_dataset(study.data.name, study.data.path, **study.data.options)
    environment = describe_study(
        study,
        dataset,
        board=board,
        source=source,
        calibration=calibration,
        command={"study": study.name},
    )
    return StudyPlan(
        study=study,
        folder=results / study.name,
        space=checked_space(study, dataset.input_shape, dataset.num_classes),
        input_shape=dataset.input_shape,
        num_classes=dataset.num_classes,
        environment=environment,
        measure=measure,
        calibrated=calibrated,
        resume=resume,
    )


def checked_space(study: StudyConfig, input_shape: tuple[int, int, int], num_classes: int) -> Space:
    """The search space of a study, after one network of it was built.

    A journal that was begun would refuse the study once its space is corrected.

    Raises:
        ArchitectureError: The space has no network for the data.
        ConfigError: There is no such search space, or it has no such option.
    """
    space = find_space(study.space.name, study.space.options)
    space.graph(space.random(np.random.default_rng(0)), input_shape, num_classes)
    return space


def read_calibrated(folder: Path) -> tuple[Calibrated, dict[str, Any]]:
    """What a study takes from a calibration, and how its environment names it.

    Raises:
        StoreError: There is none, or it is not readable.
    """
    models = read_models(folder)
    samples_file = folder / _SAMPLES_FILE
    samples = read_samples(samples_file) if samples_file.exists() else ()
    digest = hashlib.sha256((folder / _MODELS_FILE).read_bytes())
    if samples:
        digest.update(samples_file.read_bytes())
    description = {
        "name": folder.name,
        "sha256": digest.hexdigest(),
        "model": models.default.name,
        "fitted_on": dict(models.default.identity),
        "samples": len(samples),
    }
    return Calibrated(models.default, samples, models.arena), description


def _needs_board(study: StudyConfig) -> bool:
    mode = study.latency.mode
    return mode is LatencyMode.MEASURED or (mode is LatencyMode.PREDICTED and study.latency.ask)


def _find_calibration(
    study: StudyConfig, results: Path
) -> tuple[Calibrated | None, dict[str, Any] | None]:
    """The calibration of the study's board; measured studies do without where there is none."""
    if study.latency.mode is LatencyMode.MACS:
        return None, None
    if study.latency.calibration is not None:
        return read_calibrated(Path(study.latency.calibration))
    board = load_board(study.board.id).id
    places = [calibration_folder(board, at, study.board.runtime) for at in (results, RESULTS)]
    place = next((place for place in places if place.exists()), places[0])
    try:
        return read_calibrated(place)
    except StoreError as error:
        if study.latency.mode is LatencyMode.MEASURED:
            return None, None
        raise StoreError(
            f"[latency] mode is predicted, but {error}; or search with --latency measured"
        ) from error


def _open_bench(study: StudyConfig, unit: str | None, log: Log | None) -> Bench:
    """The bench of a study: the unit, or the virtual board."""
    config = study.board
    return open_bench(
        config.id,
        unit,
        virtual=config.virtual and unit is None,
        procedure=Procedure(config.warmup, config.runs),
        virtual_runs=1,
        runtime=find_runtime(config.runtime, config.tflm),
        emulation=find_emulation(config.emulator, config.timing),
        log=log,
    )


def _measure_on(bench: Bench, log: Log | None) -> Measure:
    """Measuring on a bench; what was measured before comes from the cache."""
    store = DirectoryStore(cache_dir() / "measurements")

    def measure(model: Flatbuffer) -> Measurement:
        return measure_one(bench, store, model, log=log)[0]

    return measure
