# SPDX-License-Identifier: Apache-2.0
"""``unas-hil plot …``."""

from __future__ import annotations

from pathlib import Path

import typer

from unas.cli import plot_study
from unas.cli.choose import RESULTS, BoardOption, ResultsOption, RuntimeOption

app = typer.Typer(help="Draw figures from stored results.", no_args_is_help=True)


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
    board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = RESULTS
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
    board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = RESULTS
) -> None:
    """Draw latency over MACs from a board's stored calibration, as PNG and SVG.

    Example: unas-hil plot mac-vs-latency --board f746
    """
    _draw("mac_vs_latency", board, runtime, results)


@app.command(name="latency-model")
def latency_model(
    board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = RESULTS
) -> None:
    """Draw predicted against found latency for every model, on held-out networks.

    Example: unas-hil plot latency-model --board f746
    """
    _draw("latency_model", board, runtime, results)


@app.command(name="operator-errors")
def operator_errors(
    board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = RESULTS
) -> None:
    """Draw the error of the latency models by family of operators.

    Example: unas-hil plot operator-errors --board f746
    """
    _draw("operator_errors", board, runtime, results)


@app.command(name="decisions")
def decisions(
    board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = RESULTS
) -> None:
    """Draw how many networks a latency limit would wrongly accept or reject by each model.

    Example: unas-hil plot decisions --board f746
    """
    _draw("decisions", board, runtime, results)


@app.command(name="coverage")
def coverage(
    board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = RESULTS
) -> None:
    """Draw how many held-out networks lie in their intervals.

    Example: unas-hil plot coverage --board f746
    """
    _draw("coverage", board, runtime, results)


@app.command(name="arena-model")
def arena_model(
    board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = RESULTS
) -> None:
    """Draw predicted against found tensor arenas.

    Example: unas-hil plot arena-model --board f746
    """
    _draw("arena_model", board, runtime, results)


for _name, _command in plot_study.COMMANDS.items():
    app.command(name=_name)(_command)
