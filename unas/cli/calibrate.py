# SPDX-License-Identifier: Apache-2.0
"""``unas-hil calibrate``."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unas.cli.choose import (
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
from unas.cli.output import Format, note, print_json, print_table
from unas.errors import StoreError

if TYPE_CHECKING:
    from unas.calibrate import Point, Sample
    from unas.lab import Bench
    from unas.latency.fit import Fit

_UNIT_RUNS, _VIRTUAL_RUNS = 5, 1


def _progress() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _draw(bench: Bench, count: int, seed: int) -> list[Sample]:
    from unas.calibrate import draw_samples

    samples = []
    with _progress() as progress:
        task = progress.add_task("drawing networks  ", total=count, rate="")
        for sample in draw_samples(bench.board, count, seed):
            samples.append(sample)
            progress.advance(task)
    return samples


def _measure(bench: Bench, samples: list[Sample], fresh: bool) -> tuple[list[Point], list[str]]:
    from unas._resources import cache_dir
    from unas.calibrate import Point
    from unas.lab import Lab
    from unas.record import Measurement
    from unas.store.cache import DirectoryStore

    lab = Lab(bench, DirectoryStore(cache_dir() / "measurements"), fresh=fresh, log=note)
    found: dict[str, Measurement] = {}
    failures: list[str] = []
    # closing: an interrupt between two results must stop the workers too, and in order.
    results = lab.measure([sample.model for sample in samples])
    with _progress() as progress, contextlib.closing(results):
        task = progress.add_task("measuring networks", total=len(samples), rate="")
        started, measured = time.monotonic(), 0
        for result, stored in results:
            measured += not stored
            rate = f"{measured / (time.monotonic() - started):.2f}/s" if measured else "from store"
            progress.update(task, advance=1, rate=rate)
            if isinstance(result, Measurement):
                found[result.model_sha256] = result
            else:
                failures.append(str(result.error))
    points = [
        Point(sample, found[sample.model.sha256])
        for sample in samples
        if sample.model.sha256 in found
    ]
    return points, failures


def _print(provenance: str, fits: tuple[Fit, Fit]) -> None:
    rows = []
    for fit in fits:
        for what, quality in (
            ("in sample", fit.in_sample),
            ("cross-validated", fit.cross_validated),
        ):
            rows.append(
                [
                    fit.quantity,
                    fit.feature,
                    what,
                    str(quality.n),
                    f"{quality.r2:.4f}",
                    f"{quality.mape_percent:.1f} %",
                    f"{quality.within_10_percent:.0f} %",
                    f"{quality.spearman:.4f}",
                    f"{quality.kendall:.4f}",
                ]
            )
    print_table(
        f"Fit on {provenance} values",
        ["quantity", "from", "", "n", "R²", "MAPE", "within ±10 %", "Spearman", "Kendall"],
        rows,
    )
    for fit in fits:
        typer.echo(
            f"{fit.quantity} = {fit.line.slope:.6g} * {fit.feature} {fit.line.intercept:+.6g}"
        )


def command(
    board: BoardOption,
    models: Annotated[
        int, typer.Option("--models", min=4, max=10_000, help="Networks to measure.")
    ] = 100,
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
    """Measure random networks on a board, fit latency from MACs and arena from peak memory.

    What was measured before is not measured again: an interrupted calibration goes on where it was.

    Example: unas-hil calibrate --board f746 --models 100
    """
    from unas.calibrate import fit_points, table_row
    from unas.hil.measure import Procedure
    from unas.report.mac_vs_latency import draw
    from unas.store.calibration import (
        calibration_folder,
        read_calibration,
        write_calibration,
    )
    from unas.store.environment import environment
    from unas.store.folder import results_folder

    procedure = Procedure(warmup, runs or _UNIT_RUNS)
    ran = choose_runtime(runtime, tflm)
    how = choose_emulation("unicorn", timing)
    bench = choose_bench(board, unit, virtual, workers, procedure, ran, how)
    if runs is None and bench.unit is None:
        bench = replace(bench, procedure=Procedure(warmup, _VIRTUAL_RUNS))
    points, failures = _measure(bench, _draw(bench, models, seed), fresh)
    for failure in failures:
        note(f"not measured: {failure}")
    wrong = [point.measurement.model_name for point in points if not point.measurement.output.equal]
    if wrong:
        raise StoreError(
            f"the output of {len(wrong)} networks differs from the golden implementation "
            f"({', '.join(wrong[:3])}…), so nothing was written; please report it"
        )
    fits = fit_points(points, seed)
    command_line = {"models": models, "seed": seed, "runs": bench.procedure.runs, "warmup": warmup}
    first = points[0].measurement
    place = calibration_folder(bench.board.id, results, ran.name)
    with results_folder(place) as folder:
        write_calibration(
            folder,
            [table_row(point) for point in points],
            [point.measurement for point in points],
            fits,
            environment(bench.board, first, command_line, bench.source),
        )
        draw(read_calibration(folder), folder)
    if output is Format.JSON:
        print_json(
            {"provenance": str(first.provenance), "fits": [fit.to_json_dict() for fit in fits]}
        )
    else:
        _print(str(first.provenance), fits)
    note(f"wrote {place}: measurements, fit, environment, figure")
