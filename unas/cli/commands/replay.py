# SPDX-License-Identifier: Apache-2.0
"""``unas-hil replay``."""

from __future__ import annotations

from typing import Annotated

import typer

from unas.cli.options import RESULTS, ResultsOption
from unas.cli.output import Format, print_json, print_table


def command(
    study: Annotated[str, typer.Argument(help="A study's results folder, or its name.")],
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
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Try every strategy on a recorded study: no training, no board, seconds.

    Strategies may propose the journal's networks only, so this compares how soon they find the good
    ones among them; what they would have found beyond, only a search tells.

    Example: unas-hil replay digits_f746 --seeds 20
    """
    from unas.config import StrategyName
    from unas.search import progress
    from unas.search.replay import replay_strategy
    from unas.store.study_folder import read_study

    found = read_study(study, results)
    known = progress.trainings(found.records)
    count = trainings or max(known // 2, 1)
    trials = [
        replay_strategy(strategy, found.config, found.records, seeds=seeds, count=count)
        for strategy in StrategyName
    ]
    whole = progress.covered_share(found.records, found.config.judged)
    if output is Format.JSON:
        print_json(
            {
                "study": found.name,
                "trainings": count,
                "of": known,
                "covered_by_all": whole,
                "covered": {str(trial.strategy): trial.covered for trial in trials},
            }
        )
        return
    print_table(
        f"Covered hypervolume after {count} of the {known} trainings of {found.name}; "
        f"all of them: {100 * whole:.2f} %",
        ["strategy", "seeds", "mean", "std. dev.", "least", "most"],
        [
            [
                str(trial.strategy),
                str(seeds),
                f"{100 * trial.mean:.2f} %",
                f"{100 * trial.spread:.2f}",
                f"{100 * min(trial.covered):.2f} %",
                f"{100 * max(trial.covered):.2f} %",
            ]
            for trial in trials
        ],
    )
