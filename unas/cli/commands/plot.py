# SPDX-License-Identifier: Apache-2.0
"""``unas-hil plot …``."""

from __future__ import annotations

from pathlib import Path

import typer

from unas.cli.commands import plot_study
from unas.cli.options import RESULTS, BoardOption, ResultsOption, RuntimeOption

app = typer.Typer(help="Draw figures from stored results.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Draw figures from stored results."""


def _draw(name: str, board: str, runtime: str, results: Path) -> None:
    from unas.board import load_board
    from unas.report.calibration.figures import draw
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
    from unas.report.calibration.figures import draw_all
    from unas.store.calibration import calibration_folder, read_calibration

    folder = calibration_folder(load_board(board).id, results, runtime)
    for path in draw_all(read_calibration(folder), folder):
        typer.echo(path)


_BOARD_FIGURES = {
    "mac-vs-latency": "Draw latency over MACs from a board's stored calibration, as PNG and SVG.",
    "latency-model": "Draw predicted against found latency for every model, on held-out networks.",
    "operator-errors": "Draw the error of the latency models by family of operators.",
    "decisions": "Draw how many networks a latency limit would wrongly accept or reject by each "
    "model.",
    "coverage": "Draw how many held-out networks lie in their intervals.",
    "arena-model": "Draw predicted against found tensor arenas.",
}


def _add(name: str, words: str) -> None:
    @app.command(name=name, help=f"{words}\n\nExample: unas-hil plot {name} --board f746")
    def command(
        board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = RESULTS
    ) -> None:
        _draw(name.replace("-", "_"), board, runtime, results)


for _name, _words in _BOARD_FIGURES.items():
    _add(_name, _words)
for _name, _command in plot_study.COMMANDS.items():
    app.command(name=_name)(_command)
