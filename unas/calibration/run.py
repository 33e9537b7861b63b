# SPDX-License-Identifier: Apache-2.0
"""Calibration of a board in one call: measure or import, fit, write the results folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unas.board import Board
from unas.calibration.active import Round
from unas.calibration.campaign import CalibrationPlan, calibrate_plainly, calibrate_until
from unas.calibration.csv_import import findings_of_csv
from unas.calibration.measuring import CalibrationLab, Effort, OnResult
from unas.lab.bench import Bench
from unas.store.cache import MeasurementStore, user_store
from unas.store.calibration import (
    RESULTS,
    CalibrationResults,
    calibration_folder,
    quality_to_json_dict,
    write_calibration,
)
from unas.store.folder import results_folder

if TYPE_CHECKING:
    import pandas as pd

UNIT_RUNS, VIRTUAL_RUNS = 5, 1  # a virtual board gives the same cycles every time
ACTIVE_KERNELS = 512

Draw = Callable[[Path], object]
"""Draws figures into a folder that holds a calibration, before it takes its place."""


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """A calibration that was written.

    Attributes:
        folder: Where it is stored.
        results: Measurements, models and their errors on networks that they never saw.
        effort: What measuring took; None of imported measurements.
        failures: Why networks could not be measured, a line each.
    """

    folder: Path
    results: CalibrationResults
    effort: Effort | None = None
    failures: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What was fitted on what, and how good each model is on networks it never saw."""
        fitted = self.results.fitted
        return {
            "folder": str(self.folder),
            "fitted_on": dict(fitted.model.identity),
            "latency_model": fitted.model.name,
            "quality": quality_to_json_dict(fitted, self.results.arena, self.results.flash),
            "failures": list(self.failures),
        }

    def to_frame(self) -> pd.DataFrame:
        """A row a network, as in ``measurements.csv``."""
        import pandas as pd

        return pd.DataFrame(self.results.rows)


@dataclass(frozen=True, slots=True)
class CalibrationProgress:
    """Who is told what a calibration does.

    Attributes:
        stage: Takes a stage, how much of it is done, and of how much.
        result: Takes each measured network or kernel.
        round: Takes each round of active sampling.
        log: Takes log lines of the device.
    """

    stage: Callable[[str, int, int], None] = lambda *_: None
    result: OnResult = lambda *_: None
    round: Callable[[Round], None] = lambda _: None
    log: Callable[[str], None] | None = None


def calibrate_board(
    bench: Bench,
    *,
    networks: int = 100,
    kernels: int | None = None,
    target_error_percent: float | None = None,
    held_out: int = 20,
    seed: int = 0,
    runs: int | None = None,
    fresh: bool = False,
    results: Path = RESULTS,
    store: MeasurementStore | None = None,
    progress: CalibrationProgress | None = None,
    draw: Draw | None = None,
) -> CalibrationReport:
    """Measure random networks on a board, fit models of latency, arena and flash, and store them.

    With a target error it measures what the latency model is least sure about, until networks that
    are never fitted are predicted well enough. What the store of measurements has is not measured
    again: an interrupted calibration goes on where it was.

    Args:
        bench: What to measure on.
        networks: To measure; with a target error: at most, the held-out ones not counted.
        kernels: Single operators to measure; None: none, or at most 512 with a target error.
        target_error_percent: Mean absolute relative error of the latency of held-out networks.
        held_out: With a target error: networks to judge by, never fitted.
        seed: Of draws and fits.
        runs: Timed inferences a network; None: 5 on a unit, 1 on a virtual board.
        fresh: Measure again what the store has.
        results: Directory of results.
        store: Of measurements; None: the user's cache.
        progress: Is told what happens.
        draw: Draws figures into the new folder.

    Raises:
        UnasError: The bench failed, or too little could be measured.
        StoreError: An output is wrong, or the results cannot be written.
    """
    progress = progress or CalibrationProgress()
    runs = runs or (VIRTUAL_RUNS if bench.unit is None else UNIT_RUNS)
    bench = replace(bench, procedure=replace(bench.procedure, runs=runs))
    if kernels is None:
        kernels = 0 if target_error_percent is None else ACTIVE_KERNELS
    plan = CalibrationPlan(
        bench.board,
        networks,
        kernels,
        seed,
        command=_command(bench, networks, kernels, seed, target_error_percent, held_out),
        source=bench.source,
        tell=progress.stage,
        on_round=progress.round,
    )
    measuring = CalibrationLab(
        bench, store or user_store(), fresh=fresh, log=progress.log, on_result=progress.result
    )
    if target_error_percent is None:
        findings = calibrate_plainly(plan, measuring)
    else:
        findings = calibrate_until(plan, measuring, target_error_percent, held_out)
    folder = calibration_folder(bench.board.id, results, bench.runtime.name)
    _write(findings, folder, draw)
    return CalibrationReport(folder, findings, measuring.effort(), tuple(measuring.failures))


def _command(
    bench: Bench,
    networks: int,
    kernels: int,
    seed: int,
    target_error_percent: float | None,
    held_out: int,
) -> dict[str, object]:
    """The options as ``environment.json`` names them."""
    command: dict[str, object] = {"models": networks, "kernels": kernels, "seed": seed}
    if target_error_percent is None:
        command["until"] = None
    else:
        command |= {"until": f"{target_error_percent:g}%", "held_out": held_out}
    return command | {"runs": bench.procedure.runs, "warmup": bench.procedure.warmup}


def import_calibration(
    csv: Path, board: Board, *, seed: int = 0, results: Path = RESULTS, draw: Draw | None = None
) -> CalibrationReport:
    """Fit models on measurements that were made elsewhere, and store them.

    Args:
        csv: The file; docs/importing.md describes its columns.
        board: What they were measured on.
        seed: Of fits.
        results: Directory of results.
        draw: Draws figures into the new folder.

    Raises:
        StoreError: The file cannot be used, or the results cannot be written.
    """
    findings = findings_of_csv(csv, board, seed)
    folder = calibration_folder(board.id, results, findings.fitted.model.identity["runtime"])
    _write(findings, folder, draw)
    return CalibrationReport(folder, findings)


def _write(findings: CalibrationResults, place: Path, draw: Draw | None) -> None:
    with results_folder(place) as folder:
        write_calibration(folder, findings)
        if draw is not None:
            draw(folder)
