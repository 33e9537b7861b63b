# SPDX-License-Identifier: Apache-2.0
"""``unas-hil replay``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from unas.cli.options import RESULTS, FormatOption, ResultsOption, StudyArgument
from unas.cli.output import Format, print_json, print_table

if TYPE_CHECKING:
    from unas.strategies.replay import ReplayComparison


def command(
    study: StudyArgument,
    trainings: Annotated[
        int | None,
        typer.Option(
            "--trainings",
            min=1,
            help="Trained networks of each search; default: half of the journal's.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=1000, help="Searches of each strategy.")
    ] = 10,
    results: ResultsOption = RESULTS,
    output: FormatOption = Format.TABLE,
) -> None:
    """Try every strategy on a recorded study: no training, no board, seconds.

    Strategies may propose the journal's networks only, so this compares how soon they find the good
    ones among them, and not what they would have found beyond.

    Example: unas-hil replay digits_f746 --seeds 20
    """
    from unas.store.study_folder import read_study
    from unas.strategies.replay import try_strategies

    content = read_study(study, results)
    replayed = try_strategies(content.config, content.records, seeds=seeds, trainings=trainings)
    if output is Format.JSON:
        print_json(_as_json(content.name, replayed))
    else:
        _print(content.name, replayed, seeds)


def _as_json(name: str, replayed: ReplayComparison) -> dict[str, Any]:
    return {
        "study": name,
        "trainings": replayed.trainings,
        "of": replayed.recorded_trainings,
        "covered_by_all": replayed.hypervolume,
        "covered": {str(trial.strategy): trial.covered for trial in replayed.trials},
    }


def _print(name: str, replayed: ReplayComparison, seeds: int) -> None:
    print_table(
        f"Hypervolume after {replayed.trainings} of the {replayed.recorded_trainings} trainings "
        f"of {name}; all of them: {100 * replayed.hypervolume:.2f} %",
        ["strategy", "seeds", "mean", "std. dev.", "min", "max"],
        [
            [
                str(trial.strategy),
                str(seeds),
                f"{100 * trial.mean:.2f} %",
                f"{100 * trial.spread:.2f}",
                f"{100 * min(trial.covered):.2f} %",
                f"{100 * max(trial.covered):.2f} %",
            ]
            for trial in replayed.trials
        ],
    )
