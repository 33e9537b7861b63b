# SPDX-License-Identifier: Apache-2.0
"""``unas-hil plot …``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unas.cli.choose import BoardOption, RuntimeOption

app = typer.Typer(help="Draw figures from stored results.", no_args_is_help=True)
ResultsOption = Annotated[Path, typer.Option("--results", help="Directory of results.")]
_RESULTS = Path("results")


@app.callback()
def _group() -> None:
    """Draw figures from stored results."""


def _draw(name: str, board: str, runtime: str, results: Path) -> None:
    from unas.board import load_board
    from unas.report.figures import draw
    from unas.store.calibration import calibration_folder, read_calibration

    folder = calibration_folder(load_board(board).id, results, runtime)
    for path in draw(read_calibration(folder), folder, name):
        typer.echo(path)


@app.command(name="all")
def everything(
    board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = _RESULTS
) -> None:
    """Draw every figure for which a board's stored calibration holds the data.

    Example: unas-hil plot all --board f746
    """
    from unas.board import load_board
    from unas.report.figures import draw_all
    from unas.store.calibration import calibration_folder, read_calibration

    folder = calibration_folder(load_board(board).id, results, runtime)
    for path in draw_all(read_calibration(folder), folder):
        typer.echo(path)


@app.command(name="mac-vs-latency")
def mac_vs_latency(
    board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = _RESULTS
) -> None:
    """Draw latency over MACs from a board's stored calibration, as PNG and SVG.

    Example: unas-hil plot mac-vs-latency --board f746
    """
    _draw("mac_vs_latency", board, runtime, results)


@app.command(name="latency-model")
def latency_model(
    board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = _RESULTS
) -> None:
    """Draw predicted against found latency for every model, on held-out networks.

    Example: unas-hil plot latency-model --board f746
    """
    _draw("latency_model", board, runtime, results)


@app.command(name="operator-errors")
def operator_errors(
    board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = _RESULTS
) -> None:
    """Draw the error of the latency models by family of operators.

    Example: unas-hil plot operator-errors --board f746
    """
    _draw("operator_errors", board, runtime, results)


@app.command(name="decisions")
def decisions(
    board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = _RESULTS
) -> None:
    """Draw how many networks a latency limit would wrongly accept or reject by each model.

    Example: unas-hil plot decisions --board f746
    """
    _draw("decisions", board, runtime, results)


@app.command(name="coverage")
def coverage(
    board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = _RESULTS
) -> None:
    """Draw how many held-out networks lie in their intervals.

    Example: unas-hil plot coverage --board f746
    """
    _draw("coverage", board, runtime, results)


@app.command(name="arena-model")
def arena_model(
    board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = _RESULTS
) -> None:
    """Draw predicted against found tensor arenas.

    Example: unas-hil plot arena-model --board f746
    """
    _draw("arena_model", board, runtime, results)


StudyArgument = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study's results folder, or its name.")
]


def _draw_study(name: str, study: str, results: Path) -> None:
    from unas.report.study.figures import draw
    from unas.store.study import read_study

    found = read_study(study, results)
    for path in draw(found, found.folder, name):
        typer.echo(path)


@app.command(name="pareto")
def pareto(study: StudyArgument, results: ResultsOption = _RESULTS) -> None:
    """Draw a study's fronts: int8 error over model size, peak memory and latency.

    Example: unas-hil plot pareto digits_f746
    """
    _draw_study("pareto", study, results)


@app.command(name="convergence")
def convergence(study: StudyArgument, results: ResultsOption = _RESULTS) -> None:
    """Draw how a search came along: what it covered, and its best networks, over trainings.

    Example: unas-hil plot convergence digits_f746
    """
    _draw_study("convergence", study, results)


@app.command(name="accuracy-latency")
def accuracy_latency(study: StudyArgument, results: ResultsOption = _RESULTS) -> None:
    """Draw a study's int8 error over latency; what a board said and what was predicted differ.

    Example: unas-hil plot accuracy-latency digits_f746
    """
    _draw_study("accuracy_latency", study, results)


@app.command(name="fronts")
def fronts(
    studies: Annotated[
        list[str], typer.Argument(metavar="STUDY…", help="Results folders, or their names.")
    ],
    to: Annotated[
        Path,
        typer.Option("--to", help="Stem of the files: STEM.png and STEM.svg."),
    ] = Path("fronts"),
    results: ResultsOption = _RESULTS,
) -> None:
    """Draw the fronts of several studies in one figure.

    Example: unas-hil plot fronts digits_macs digits_predicted digits_measured
    """
    from unas.report.study.fronts import compare_fronts
    from unas.report.style import save
    from unas.store.study import read_study

    found = [read_study(study, results) for study in studies]
    to.parent.mkdir(parents=True, exist_ok=True)
    for path in save(compare_fronts(found, results), to.parent, to.name):
        typer.echo(path)
