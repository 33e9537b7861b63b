# SPDX-License-Identifier: Apache-2.0
"""``unas-hil plot …``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unas.cli.choose import BoardOption, RuntimeOption

app = typer.Typer(help="Draw figures from stored results.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Draw figures from stored results."""


@app.command(name="mac-vs-latency")
def mac_vs_latency(
    board: BoardOption,
    runtime: RuntimeOption = "builtin",
    results: Annotated[Path, typer.Option("--results", help="Directory of results.")] = Path(
        "results"
    ),
) -> None:
    """Draw latency over MACs from a board's stored calibration, as PNG and SVG.

    Example: unas-hil plot mac-vs-latency --board f746
    """
    from unas.board import load_board
    from unas.report.mac_vs_latency import draw
    from unas.store.calibration import calibration_folder, read_calibration

    folder = calibration_folder(load_board(board).id, results, runtime)
    for path in draw(read_calibration(folder), folder):
        typer.echo(path)
