# SPDX-License-Identifier: Apache-2.0
"""``unas-hil calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unas.cli.options import (
    RESULTS,
    BoardOption,
    FormatOption,
    FreshOption,
    ResultsOption,
    RuntimeOption,
    SeedOption,
    TflmOption,
    TimingOption,
    UnitOption,
    VirtualOption,
    WarmupOption,
    WorkersOption,
    choose_bench,
    choose_emulation,
    choose_runtime,
)
from unas.cli.output import Format, note
from unas.errors import ConfigError

if TYPE_CHECKING:
    from unas.calibration.run import CalibrationReport


def command(
    board: BoardOption,
    networks: Annotated[
        int,
        typer.Option(
            "--networks",
            min=4,
            max=10_000,
            help="Networks to measure; with --target-error: at most, the held-out ones not "
            "counted.",
        ),
    ] = 100,
    target_error: Annotated[
        str | None,
        typer.Option(
            "--target-error",
            metavar="PERCENT",
            help="Measure what the model is least sure about, until the mean absolute relative "
            "error of the latency of held-out networks is at most this (for example 5%).",
            show_default=False,
        ),
    ] = None,
    kernels: Annotated[
        int | None,
        typer.Option(
            "--kernels",
            min=0,
            max=100_000,
            help="Single operators to measure beside the networks. Default: none; with "
            "--target-error: at most 512.",
            show_default=False,
        ),
    ] = None,
    held_out: Annotated[
        int,
        typer.Option(
            "--held-out",
            min=4,
            max=10_000,
            help="With --target-error: networks to judge by, never fitted.",
        ),
    ] = 20,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="CSV",
            help="Fit on measurements made elsewhere (docs/importing.md); nothing is measured.",
            show_default=False,
        ),
    ] = None,
    seed: SeedOption = 0,
    runtime: RuntimeOption = "builtin",
    tflm: TflmOption = None,
    unit: UnitOption = None,
    virtual: VirtualOption = False,
    timing: TimingOption = None,
    workers: WorkersOption = 2,
    runs: Annotated[
        int | None,
        typer.Option(
            "--runs",
            min=1,
            max=256,
            help="Timed inferences a network; default: 5 on a unit, 1 on the virtual board, which "
            "is deterministic.",
        ),
    ] = None,
    warmup: WarmupOption = 0,
    fresh: FreshOption = False,
    results: ResultsOption = RESULTS,
    output: FormatOption = Format.TABLE,
) -> None:
    """Measure random networks on a board, or the kernels it is least sure about, and fit models.

    Fits latency, tensor arena and flash, and says how good they are on networks they never saw.
    What was measured before is not measured again: an interrupted calibration goes on where it was.

    Examples:
    unas-hil calibrate --board f746 --networks 100

    unas-hil calibrate --board f746 --target-error 5%
    """
    from unas.board import load_board
    from unas.calibration.run import calibrate_board, import_calibration
    from unas.cli.progress import CalibrationBars
    from unas.hil.measure import Procedure

    target_percent = None if target_error is None else _percent(target_error)
    if source is not None:
        imported = import_calibration(
            source, load_board(board), seed=seed, results=results, draw=_draw
        )
        _print(imported, output)
        return
    ran = choose_runtime(runtime, tflm)
    how = choose_emulation("unicorn", timing)
    bench = choose_bench(board, unit, virtual, workers, Procedure(warmup), ran, how)
    with CalibrationBars() as bars:
        result = calibrate_board(
            bench,
            networks=networks,
            kernels=kernels,
            target_error_percent=target_percent,
            held_out=held_out,
            seed=seed,
            runs=runs,
            fresh=fresh,
            results=results,
            progress=bars.progress,
            draw=_draw,
        )
    _print(result, output)


def _percent(text: str) -> float:
    """5.0 of "5%" or "5"."""
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = 0.0
    if not 0.0 < value < 100.0:
        raise ConfigError(
            f"--target-error {text}: give a mean error in percent, for example --target-error 5%"
        )
    return value


def _draw(folder: Path) -> None:
    from unas.report.calibration.figures import draw_all
    from unas.store.calibration import read_calibration

    draw_all(read_calibration(folder), folder)


def _print(result: CalibrationReport, output: Format) -> None:
    from unas.cli.results_output import (
        note_effort,
        note_target,
        print_findings,
        print_findings_json,
    )

    for failure in result.failures:
        note(f"not measured: {failure}")
    if result.effort is not None:
        note_effort(result.effort)
    if result.results.sampling is not None:
        note_target(result.results.sampling)
    if output is Format.JSON:
        print_findings_json(result.results)
    else:
        print_findings(result.results)
    note(f"wrote {result.folder}: measurements, models, predictions, environment, figures")
