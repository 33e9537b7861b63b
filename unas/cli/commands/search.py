# SPDX-License-Identifier: Apache-2.0
"""``unas-hil search``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unas.cli.options import (
    RESULTS,
    FormatOption,
    ResultsOption,
    TflmOption,
    TimingOption,
    UnitOption,
)
from unas.cli.output import Format, note


def command(
    study: Annotated[Path, typer.Argument(help="A study file.", metavar="STUDY.toml")],
    board: Annotated[
        str | None,
        typer.Option("--board", help="Kind of board: an id or a .toml file.", show_default=False),
    ] = None,
    latency: Annotated[
        str | None,
        typer.Option(
            "--latency",
            help="Where the latency comes from: macs (their bound stands for it), predicted (the "
            "calibrated model; the board where that is not sure enough) or measured (always the "
            "board).",
            show_default=False,
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy", help="aging_evolution, or random to compare with.", show_default=False
        ),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=1, help="Records in all.", show_default=False)
    ] = None,
    trainings: Annotated[
        int | None,
        typer.Option(
            "--trainings", min=1, help="End with this many trained networks.", show_default=False
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, max=256, help="Trainings at once.", show_default=False),
    ] = None,
    final_seeds: Annotated[
        int | None,
        typer.Option(
            "--final-seeds",
            min=0,
            max=100,
            help="Repeated trainings of each feasible network of the front, at the end.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, max=2**31 - 1, help="Of the search.", show_default=False),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a search that was ended.")
    ] = False,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Of the folder of results.", show_default=False),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Where the data set lies.", show_default=False),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            "--runtime", help="builtin, builtin-plain or tflm (see --tflm).", show_default=False
        ),
    ] = None,
    tflm: TflmOption = None,
    unit: UnitOption = None,
    virtual: Annotated[
        bool | None,
        typer.Option(
            "--virtual/--no-virtual",
            help="Whether to use the virtual board even if a unit is plugged in.",
            show_default=False,
        ),
    ] = None,
    timing: TimingOption = None,
    results: ResultsOption = RESULTS,
    output: FormatOption = Format.TABLE,
) -> None:
    """Search networks within the bounds of a study; the results are in results/STUDY.

    Options take the place of what the study file says. A search that was ended goes on with the
    same command and --resume.

    Example: unas-hil search configs/digits_f746.toml
    """
    from unas.cli.progress import show_search
    from unas.cli.results_output import print_search, print_search_json
    from unas.config.load import load_study
    from unas.study.run import run_study
    from unas.study.setup import override_study, prepare_study

    config = override_study(
        load_study(study),
        name=name,
        data={"path": None if data is None else str(data)},
        search={
            "strategy": strategy,
            "rounds": rounds,
            "trainings": trainings,
            "workers": workers,
            "final_seeds": final_seeds,
            "seed": seed,
        },
        latency={"mode": latency},
        board={"id": board, "runtime": runtime, "tflm": tflm, "virtual": virtual, "timing": timing},
    )
    plan = prepare_study(config, results, unit=unit, resume=resume, log=note)
    with show_search(config, quiet=output is Format.JSON) as observer:
        result = run_study(plan, observer)
    if output is Format.JSON:
        print_search_json(config, result)
    else:
        print_search(config, result)
        note(f"wrote {plan.folder}: journal, study, environment, networks of the front")
