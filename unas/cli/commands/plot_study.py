# SPDX-License-Identifier: Apache-2.0
"""``unas-hil plot …``: the figures of searches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unas.cli.options import RESULTS, ResultsOption
from unas.cli.output import print_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

StudyArgument = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study's results folder, or its name.")
]


def _draw_study(name: str, study: str, results: Path) -> None:
    from unas.report.study.figures import draw
    from unas.store.study_folder import read_study

    found = read_study(study, results)
    for path in draw(found, found.folder, name):
        typer.echo(path)


def pareto(study: StudyArgument, results: ResultsOption = RESULTS) -> None:
    """Draw a study's fronts: int8 error over model size, peak memory and latency.

    Example: unas-hil plot pareto digits_f746
    """
    _draw_study("pareto", study, results)


def convergence(study: StudyArgument, results: ResultsOption = RESULTS) -> None:
    """Draw how a search came along: what it covered, and its best networks, over trainings.

    Example: unas-hil plot convergence digits_f746
    """
    _draw_study("convergence", study, results)


def accuracy_latency(study: StudyArgument, results: ResultsOption = RESULTS) -> None:
    """Draw a study's int8 error over latency; what a board said and what was predicted differ.

    Example: unas-hil plot accuracy-latency digits_f746
    """
    _draw_study("accuracy_latency", study, results)


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
    from unas.report.study.fronts import compare_fronts
    from unas.report.style import save
    from unas.store.study_folder import read_study

    found = [read_study(study, results) for study in studies]
    to.parent.mkdir(parents=True, exist_ok=True)
    for path in save(compare_fronts(found, results), to.parent, to.name):
        typer.echo(path)


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
    from unas.report.study.strategies import as_csv, compare_strategies, figure
    from unas.report.style import save
    from unas.store.study_folder import read_study

    runs = compare_strategies([read_study(study, results) for study in studies], trainings)
    print_table(
        f"Covered hypervolume after {runs[0].trainings} trainings: mean and standard deviation",
        ["strategy", "seeds", "within the bounds", "up to twice", "networks that keep them"],
        [
            [
                one.strategy,
                ", ".join(map(str, one.seeds)),
                *(_spread(course) for course in (one.within, one.covered)),
                ", ".join(map(str, one.kept)),
            ]
            for one in runs
        ],
    )
    to.parent.mkdir(parents=True, exist_ok=True)
    text = to.with_name(f"{to.name}.csv")
    text.write_text(as_csv(runs))
    for path in (*save(figure(runs), to.parent, to.name), text):
        typer.echo(path)


def _spread(course: NDArray[np.float64]) -> str:
    from unas.report.study.strategies import at_the_end

    found = at_the_end(course)
    deviation = f" ± {100 * found.deviation:.2f}" if found.n > 1 else ""
    return f"{100 * found.mean:.2f}{deviation} %"


COMMANDS: dict[str, Callable[..., None]] = {
    "pareto": pareto,
    "convergence": convergence,
    "accuracy-latency": accuracy_latency,
    "fronts": fronts,
    "strategies": strategies,
}
