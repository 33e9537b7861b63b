# SPDX-License-Identifier: Apache-2.0
"""``unas-hil calibrate``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unas.cli.options import (
    BoardOption,
    FreshOption,
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
    from unas.lab.bench import Bench
    from unas.store.calibration import CalibrationResults

_UNIT_RUNS, _VIRTUAL_RUNS = 5, 1
_ACTIVE_KERNELS = 512


def _percent(text: str) -> float:
    """5.0 of "5%" or "5"."""
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = 0.0
    if not 0.0 < value < 100.0:
        raise ConfigError(f"--until {text}: give a mean error in percent, for example --until 5%")
    return value


def command(
    board: BoardOption,
    models: Annotated[
        int,
        typer.Option(
            "--models",
            min=4,
            max=10_000,
            help="Networks to measure; with --until: at most, the held-out ones not counted.",
        ),
    ] = 100,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
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
            help="Single operators to measure beside the networks. Default: none; with --until: "
            f"at most {_ACTIVE_KERNELS}.",
            show_default=False,
        ),
    ] = None,
    held_out: Annotated[
        int,
        typer.Option(
            "--held-out",
            min=4,
            max=10_000,
            help="With --until: networks to judge by, never fitted.",
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
    results: Annotated[Path, typer.Option("--results", help="Directory of results.")] = Path(
        "results"
    ),
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Measure random networks on a board, or the kernels it is least sure about, and fit models.

    Fits latency, tensor arena and flash, and says how good they are on networks they never saw.
    What was measured before is not measured again: an interrupted calibration goes on where it was.

    Examples:
    unas-hil calibrate --board f746 --models 100

    unas-hil calibrate --board f746 --until 5%
    """
    wanted = None if until is None else _percent(until)
    if source is not None:
        _import(source, board, seed, results, output)
        return
    from unas.hil.measure import Procedure

    procedure = Procedure(warmup, runs or _UNIT_RUNS)
    ran = choose_runtime(runtime, tflm)
    how = choose_emulation("unicorn", timing)
    bench = choose_bench(board, unit, virtual, workers, procedure, ran, how)
    if runs is None and bench.unit is None:
        bench = replace(bench, procedure=Procedure(warmup, _VIRTUAL_RUNS))
    most = (0 if wanted is None else _ACTIVE_KERNELS) if kernels is None else kernels
    options: dict[str, object] = {"models": models, "kernels": most, "seed": seed, "until": until}
    options |= {"held_out": held_out} if wanted is not None else {}
    options |= {"runs": bench.procedure.runs, "warmup": warmup}
    found = _measure(bench, _Wish(models, most, seed, wanted, held_out, options), fresh)
    _finish(found, bench.board.id, ran.name, results, output)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the options ask for."""

    models: int
    kernels: int
    seed: int
    until_percent: float | None
    held_out: int
    options: dict[str, object]


def _measure(bench: Bench, wish: _Wish, fresh: bool) -> CalibrationResults:
    from unas._paths import cache_dir
    from unas.calibrate.campaign import CalibrationPlan, calibrate_plainly, calibrate_until
    from unas.calibrate.measuring import CalibrationLab
    from unas.cli.calibration_output import Watch, note_effort, note_goal
    from unas.store.cache import DirectoryStore

    store = DirectoryStore(cache_dir() / "measurements")
    with Watch() as watch:
        measures = CalibrationLab(bench, store, fresh=fresh, log=note, on_result=watch.result)
        plan = CalibrationPlan(
            bench.board,
            wish.models,
            wish.kernels,
            wish.seed,
            command=wish.options,
            source=bench.source,
            tell=watch.tell,
            on_round=watch.round,
        )
        if wish.until_percent is None:
            found = calibrate_plainly(plan, measures)
        else:
            found = calibrate_until(plan, measures, wish.until_percent, wish.held_out)
    for failure in measures.failures:
        note(f"not measured: {failure}")
    note_effort(measures.effort())
    if found.sampling is not None:
        note_goal(found.sampling)
    return found


def _finish(
    found: CalibrationResults, board_id: str, runtime: str, results: Path, output: Format
) -> None:
    from unas.cli.calibration_output import print_findings, print_findings_json
    from unas.report.calibration.figures import draw_all
    from unas.store.calibration import calibration_folder, read_calibration, write_calibration
    from unas.store.folder import results_folder

    place = calibration_folder(board_id, results, runtime)
    with results_folder(place) as folder:
        write_calibration(folder, found)
        draw_all(read_calibration(folder), folder)
    if output is Format.JSON:
        print_findings_json(found)
    else:
        print_findings(found)
    note(f"wrote {place}: measurements, models, predictions, environment, figures")


def _import(source: Path, board: str, seed: int, results: Path, output: Format) -> None:
    from unas.board import load_board
    from unas.calibrate.csv_import import findings_of_csv

    kind = load_board(board)
    found = findings_of_csv(source, kind, seed)
    _finish(found, kind.id, found.fitted.model.identity["runtime"], results, output)
