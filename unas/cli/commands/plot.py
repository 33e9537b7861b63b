# SPDX-License-Identifier: Apache-2.0
"""``unas-hil plot …``: figures of calibrations, and of searches."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unas.cli.options import RESULTS, BoardOption, ResultsOption, RuntimeOption, StudyArgument
from unas.cli.output import print_table

if TYPE_CHECKING:
    from unas.report.study.strategies import StrategyRuns

app = typer.Typer(help="Draw figures from stored results.", no_args_is_help=True)
_BOARD_FIGURES = {
    "mac-vs-latency": "Draw latency over MACs from a board's stored calibration, as PNG and SVG.",
    "latency-model": "Draw predicted latency over that of the board for every model, on held-out "
    "networks.",
    "operator-errors": "Draw the error of the latency models by family of operators.",
    "decisions": "Draw how many networks a latency limit would wrongly accept or reject by each "
    "model.",
    "coverage": "Draw how many held-out networks lie in their intervals.",
    "arena-model": "Draw predicted tensor arenas over those of the board.",
}
_STUDY_FIGURES = {
    "pareto": "Draw a study's fronts: int8 error over model size, peak memory and latency.",
    "convergence": "Draw the progress of a search: hypervolume and best feasible networks over "
    "trainings.",
    "accuracy-latency": "Draw a study's int8 error over latency; those of a board and predicted "
    "ones look different.",
}


@app.callback()
def _group() -> None:
    """Draw figures from stored results."""


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
    _print_paths(draw_all(read_calibration(folder), folder))


def _add_board_figure(name: str, words: str) -> None:
    @app.command(name=name, help=f"{words}\n\nExample: unas-hil plot {name} --board f746")
    def command(
        board: BoardOption, runtime: RuntimeOption = "builtin", results: ResultsOption = RESULTS
    ) -> None:
        from unas.board import load_board
        from unas.report.calibration.figures import draw
        from unas.store.calibration import calibration_folder, read_calibration

        folder = calibration_folder(load_board(board).id, results, runtime)
        _print_paths(draw(read_calibration(folder), folder, name.replace("-", "_")))


def _add_study_figure(name: str, words: str) -> None:
    @app.command(name=name, help=f"{words}\n\nExample: unas-hil plot {name} digits_f746")
    def command(study: StudyArgument, results: ResultsOption = RESULTS) -> None:
        from unas.report.study.figures import draw
        from unas.store.study_folder import read_study

        content = read_study(study, results)
        _print_paths(draw(content, content.folder, name.replace("-", "_")))


for _name, _words in _BOARD_FIGURES.items():
    _add_board_figure(_name, _words)
for _name, _words in _STUDY_FIGURES.items():
    _add_study_figure(_name, _words)


@app.command()
def fronts(
    studies: Annotated[
        list[str], typer.Argument(metavar="STUDY…", help="Results folders, or their names.")
    ],
    to: Annotated[
        Path,
        typer.Option("--to", help="Stem of the files: STEM.png and STEM.svg."),
    ] = Path("fronts"),
    results: ResultsOption = RESULTS,
) -> None:
    """Draw the fronts of several studies in one figure.

    Example: unas-hil plot fronts digits_macs digits_predicted digits_measured
    """
    from unas.report.study.fronts import write_fronts
    from unas.store.study_folder import read_study

    content = [read_study(study, results) for study in studies]
    _print_paths(write_fronts(content, results, to))


@app.command()
def strategies(
    studies: Annotated[
        list[str],
        typer.Argument(metavar="STUDY…", help="Searches that differ in strategy and seed only."),
    ],
    trainings: Annotated[
        int | None,
        typer.Option(
            "--trainings",
            min=1,
            help="How many of each count; default: as many as the shortest has.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        Path,
        typer.Option("--to", help="Stem of the files: STEM.png, STEM.svg and STEM.csv."),
    ] = Path("strategies"),
    results: ResultsOption = RESULTS,
) -> None:
    """Compare strategies over seeds at equal numbers of trainings: figure, table and CSV.

    Example: unas-hil plot strategies evolution_0 evolution_1 random_0 random_1
    """
    from unas.report.study.strategies import compare_strategies, write_comparison
    from unas.store.study_folder import read_study

    runs = compare_strategies([read_study(study, results) for study in studies], trainings)
    _print_strategies(runs)
    _print_paths(write_comparison(runs, to))


def _print_strategies(runs: list[StrategyRuns]) -> None:
    from unas.record.wording import mean_std_percent
    from unas.report.study.strategies import final_mean_std

    print_table(
        f"Hypervolume after {runs[0].trainings} trainings: mean and standard deviation",
        ["strategy", "seeds", "within the bounds", "up to twice", "feasible networks"],
        [
            [
                one.strategy,
                ", ".join(map(str, one.seeds)),
                mean_std_percent(final_mean_std(one.feasible_hypervolume)),
                mean_std_percent(final_mean_std(one.hypervolume)),
                ", ".join(map(str, one.feasible)),
            ]
            for one in runs
        ],
    )


def _print_paths(paths: Iterable[Path]) -> None:
    for path in paths:
        typer.echo(path)
