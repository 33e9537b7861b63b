# SPDX-License-Identifier: Apache-2.0
"""What ``import unas`` offers, assembled: one call for what one command of ``unas-hil`` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from unas.board import Board, load_board
from unas.store.calibration import RESULTS
from unas.store.study_folder import StudyResults
from unas.store.study_folder import read_study as _read_study
from unas.tflite.model_file import Model, load_model

if TYPE_CHECKING:
    from unas.calibration.predict import NetworkPrediction
    from unas.calibration.run import CalibrationReport
    from unas.config import StudyConfig
    from unas.exports.bundle import Bundle
    from unas.record import Measurement
    from unas.resources.estimate import ResourceEstimate
    from unas.study.observer import StudyObserver

Log = Callable[[str], None]


def estimate(model: Model | Path | str) -> ResourceEstimate:
    """MACs, model size and exact peak memory of a network; provenance *predicted*.

    Args:
        model: The network, or the path of its .tflite file.

    Returns:
        Figures of the whole network and of each operator; ``to_frame`` has a row an operator.

    Raises:
        ModelError: The file cannot be read, or is no int8 TFLite model.
        UnsupportedOperatorError: The runtime has no kernel for an operator.

    Example:
        >>> import unas
        >>> network = "results/published/digits_f746/networks/cad626d10371/model.tflite"
        >>> figures = unas.estimate(network)
        >>> figures.macs, figures.model_size_bytes, figures.peak_memory_bytes
        (7211, 5775, 263)
    """
    from unas.resources.estimate import estimate as estimate_graph

    return estimate_graph(_model(model).graph)


def predict(
    model: Model | Path | str,
    board: Board | str,
    *,
    runtime: str = "builtin",
    latency_model: str | None = None,
    advise: bool = False,
    results: Path | str = RESULTS,
) -> NetworkPrediction:
    """Latency, tensor arena and flash of a network, from a stored calibration; nothing is run.

    Args:
        model: The network, or the path of its .tflite file.
        board: A calibrated board: a value, an id, or the path of a board file.
        runtime: Name of the runtime that was calibrated on it.
        latency_model: ``"boosted"``, ``"operator-linear"`` or ``"mac-line"``; None: the one that
            calibration found best.
        advise: Also look for near shapes that the board runs faster.
        results: Directory of results, where the calibration lies.

    Returns:
        Predictions with intervals: microseconds and bytes; provenance *predicted*.

    Raises:
        StoreError: The board was not calibrated.
        ConfigError: There is no such board or latency model.

    Example:
        >>> import unas
        >>> network = "results/published/digits_f746/networks/cad626d10371/model.tflite"
        >>> prediction = unas.predict(network, "f746")
        >>> prediction.latency_us.lower < prediction.latency_us.value < prediction.latency_us.upper
        True
        >>> prediction.arena_used_bytes.value
        3312.0
    """
    from unas.calibration.predict import predict as predict_model

    return predict_model(
        _model(model),
        _board(board),
        runtime=runtime,
        latency_model=latency_model,
        advise=advise,
        results=Path(results),
    )


def measure(
    model: Model | Path | str,
    board: Board | str,
    *,
    unit: str | None = None,
    virtual: bool = False,
    runs: int = 5,
    warmup: int = 1,
    seed: int = 1,
    runtime: str = "builtin",
    tflm: str | None = None,
    emulator: str = "unicorn",
    timing: str | None = None,
    fresh: bool = False,
    log: Log | None = None,
) -> Measurement:
    """Time one network on a board, and check its output against TensorFlow Lite Micro.

    Args:
        model: The network, or the path of its .tflite file.
        board: Kind of board: a value, an id, or the path of a board file.
        unit: Name in ``hardware_map.toml``; None takes the one that is plugged in, or the virtual
            board.
        virtual: Take the virtual board even if a unit is plugged in.
        runs: Timed inferences.
        warmup: Inferences before them, after the cold one.
        seed: Of the input.
        runtime: ``"builtin"``, ``"builtin-plain"`` or ``"tflm"``.
        tflm: The library of TensorFlow Lite Micro, for that runtime.
        emulator: What plays a virtual board: ``"unicorn"`` or ``"qemu"``.
        timing: What a virtual board's cycles are; None: the best it has.
        fresh: Measure again what was measured before under the same conditions.
        log: Takes lines for people: which board is used, and what the device logs.

    Returns:
        Cycles, microseconds, tensor arena and check of the output; its ``provenance`` is *emulated*
        or *measured*. See that ``output.equal`` before you trust the latency.

    Raises:
        UnasError: The network cannot be measured, or the bench failed.

    Example:
        >>> import unas
        >>> network = "results/published/digits_f746/networks/cad626d10371/model.tflite"
        >>> measurement = unas.measure(network, "f746", virtual=True)
        >>> print(measurement.provenance, measurement.output.equal, measurement.arena.used_bytes)
        emulated True 3312
    """
    from unas.firmware.runtimes import find_runtime
    from unas.hil.measure import Procedure
    from unas.lab.bench import find_emulation, open_bench
    from unas.lab.lab import measure_one
    from unas.store.cache import user_store

    bench = open_bench(
        _board(board),
        unit,
        virtual=virtual,
        procedure=Procedure(warmup, runs, seed),
        runtime=find_runtime(runtime, tflm),
        emulation=find_emulation(emulator, timing),
        log=log,
    )
    return measure_one(bench, user_store(), _model(model).flatbuffer, fresh=fresh, log=log)[0]


def calibrate(
    board: Board | str,
    *,
    networks: int = 100,
    kernels: int | None = None,
    target_error_percent: float | None = None,
    unit: str | None = None,
    virtual: bool = False,
    workers: int = 2,
    seed: int = 0,
    results: Path | str = RESULTS,
    csv: Path | str | None = None,
    log: Log | None = None,
) -> CalibrationReport:
    """Measure random networks on a board, fit models of latency, arena and flash, and store them.

    What was measured before is not measured again: an interrupted calibration goes on where it was.

    Args:
        board: Kind of board: a value, an id, or the path of a board file.
        networks: To measure; with a target error: at most.
        kernels: Single operators to measure beside them; None: none, or at most 512 with a target.
        target_error_percent: Measure what lowers the uncertainty most until networks that are never
            fitted are predicted this well.
        unit: Name in ``hardware_map.toml``; None takes the one that is plugged in, or the virtual
            board.
        virtual: Take the virtual board even if a unit is plugged in.
        workers: Virtual boards at work at once.
        seed: Of draws and fits.
        results: Directory of results; ``results/calibration/BOARD`` is written.
        csv: Fit on measurements made elsewhere (docs/importing.md) instead; nothing is measured.
        log: Takes lines for people.

    Returns:
        What was fitted and how good it is; ``to_frame`` has a row a network.

    Raises:
        UnasError: The bench failed, or too little could be measured.

    Example:
        >>> import unas
        >>> calibration = unas.calibrate("f746", networks=4, virtual=True, results="build/results")
        >>> sorted(calibration.results.fitted.models)
        ['boosted', 'mac-line', 'operator-linear']
    """
    from unas.calibration.run import CalibrationProgress, calibrate_board, import_calibration
    from unas.hil.measure import Procedure
    from unas.lab.bench import open_bench

    if csv is not None:
        return import_calibration(Path(csv), _board(board), seed=seed, results=Path(results))
    bench = open_bench(
        _board(board),
        unit,
        virtual=virtual,
        workers=workers,
        procedure=Procedure(warmup=0),
        log=log,
    )
    return calibrate_board(
        bench,
        networks=networks,
        kernels=kernels,
        target_error_percent=target_error_percent,
        seed=seed,
        results=Path(results),
        progress=CalibrationProgress(log=log),
    )


def search(
    study: StudyConfig | Path | str,
    *,
    results: Path | str = RESULTS,
    unit: str | None = None,
    resume: bool = False,
    observer: StudyObserver | None = None,
    log: Log | None = None,
) -> StudyResults:
    """Search networks under the constraints of a study; every record is safe once it is made.

    Args:
        study: From ``load_study``, or the path of a study file.
        results: Directory of results; the study's folder in it bears its name.
        unit: Name in ``hardware_map.toml``; None takes the one that is plugged in, or the virtual
            board.
        resume: Go on with a search that was interrupted.
        observer: Is told each record, see ``unas.study.observer.StudyObserver``.
        log: Takes lines for people.

    Returns:
        All records, the front and the final trainings: what ``read_study`` reads later.

    Raises:
        UnasError: The study cannot be run as it is, or too many candidates failed in a row.

    Example:
        >>> import unas
        >>> from dataclasses import replace
        >>> study = unas.load_study("configs/digits_150us.toml")
        >>> short = replace(study.search, rounds=8, trainings=1, final_seeds=0, workers=1)
        >>> found = unas.search(replace(study, search=short), results="build/results")
        >>> found.name, len(found.records) > 0
        ('digits_150us', True)
    """
    from unas.config.load import load_study
    from unas.study.run import run_study
    from unas.study.setup import prepare_study

    config = load_study(study) if isinstance(study, Path | str) else study
    plan = prepare_study(config, Path(results), unit=unit, resume=resume, log=log)
    return run_study(plan, observer)


def read_study(study: Path | str, results: Path | str = RESULTS) -> StudyResults:
    """All of a study that was searched, also of one that is still running.

    Args:
        study: A results folder, or the name of one in ``results``.
        results: Directory of results.

    Returns:
        Records, front and final trainings; ``to_frame`` has a row a record.

    Raises:
        StoreError: There is none, or it is damaged.

    Example:
        >>> import unas
        >>> study = unas.read_study("results/published/digits_f746")
        >>> len(study.records), len(study.front)
        (61, 8)
        >>> study.front[0].candidate.short_id
        '075c63bd654b'
    """
    return _read_study(str(study), Path(results))


def export(
    study: StudyResults | Path | str,
    *,
    candidate: str | None = None,
    board: Board | str | None = None,
    runtime: str = "builtin",
    data: Path | str | None = None,
    to: Path | str | None = None,
    results: Path | str = RESULTS,
) -> Bundle:
    """Write a network of a study into a new folder: all that is needed to use it elsewhere.

    Args:
        study: From ``search`` or ``read_study``, or the name or folder of one.
        candidate: The first digits of a candidate; None: the feasible one with the smallest error.
        board: What the PlatformIO project is for; None: the study's board.
        runtime: ``"builtin"`` or ``"builtin-plain"``.
        data: Where the study's data set lies, for a sample of its test split; None: the sample that
            was kept with the network.
        to: The folder, which must be empty or not exist; None: ``STUDY-CANDIDATE`` here.
        results: Directory of results, for the name of a study.

    Returns:
        The folder and its files: Keras model, .tflite file, C array, project, model card.

    Raises:
        UnasError: There is no such network, it was not kept, or the place is taken.

    Example:
        >>> import unas
        >>> study = unas.read_study("results/published/digits_f746")
        >>> bundle = unas.export(study, candidate="cad626d10371", to="build/network")
        >>> "MODEL_CARD.md" in bundle.files
        True
    """
    from unas.exports.bundle import export_network

    return export_network(
        study if isinstance(study, StudyResults) else read_study(study, results),
        candidate=candidate,
        board=None if board is None else _board(board),
        runtime=runtime,
        data=None if data is None else Path(data),
        to=None if to is None else Path(to),
    )


def _model(model: Model | Path | str) -> Model:
    return model if isinstance(model, Model) else load_model(model)


def _board(board: Board | str) -> Board:
    return board if isinstance(board, Board) else load_board(board)
