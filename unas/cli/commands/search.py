# SPDX-License-Identifier: Apache-2.0
"""``unas-hil search``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unas.cli.options import (
    RESULTS,
    FormatOption,
    ResultsOption,
    TflmOption,
    TimingOption,
    UnitOption,
    choose_bench,
    choose_emulation,
    choose_runtime,
)
from unas.cli.output import Format, note
from unas.errors import StoreError

if TYPE_CHECKING:
    from unas.config import StudyConfig
    from unas.lab.lab import Bench
    from unas.study.predictor import Calibrated
    from unas.study.run import Plan


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
    from unas.cli.search_output import print_found, print_found_json
    from unas.config.load import load_study
    from unas.study.run import run_study

    chosen = _overridden(
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
    plan = _plan(chosen, results, unit=unit, resume=resume)
    with show_search(plan.study, quiet=output is Format.JSON) as observer:
        found = run_study(plan, observer)
    if output is Format.JSON:
        print_found_json(plan.study, found)
    else:
        print_found(plan.study, found)
        note(f"wrote {plan.folder}: journal, study, environment, networks of the front")


def _overridden(
    study: StudyConfig, *, name: str | None, **tables: dict[str, object | None]
) -> StudyConfig:
    """The study with the options that were given in place of its own."""
    from unas.config.load import study_from_dict

    table: dict[str, Any] = study.to_dict()
    for key, options in tables.items():
        table[key] = table[key] | {k: v for k, v in options.items() if v is not None}
    return study_from_dict(table | ({"name": name} if name else {}), "options", study.name)


def _plan(study: StudyConfig, results: Path, *, unit: str | None, resume: bool) -> Plan:
    from unas.config import LatencyMode
    from unas.study.board_worker import lab_measure
    from unas.study.results_folder import described
    from unas.study.run import Plan
    from unas.train.datasets import load_dataset

    dataset = load_dataset(study.data.name, study.data.path, **study.data.options)
    place = results / study.name
    calibrated = calibration = bench = measure = None
    if study.latency.mode is not LatencyMode.MACS:
        calibrated, calibration = _calibrated(study, results)
        if study.latency.ask or study.latency.mode is LatencyMode.MEASURED:
            bench = _bench(study, unit)
            measure = lab_measure(bench, _store(), log=note)
    environment = described(
        study,
        dataset,
        board=bench.board if bench else None,
        source=bench.source if bench else None,
        calibration=calibration,
        command={"study": study.name},
    )
    return Plan(
        study=study,
        folder=place,
        input_shape=dataset.input_shape,
        num_classes=dataset.num_classes,
        environment=environment,
        measure=measure,
        calibrated=calibrated,
        resume=resume,
    )


def _calibrated(
    study: StudyConfig, results: Path
) -> tuple[Calibrated | None, dict[str, Any] | None]:
    from unas.board import load_board
    from unas.config import LatencyMode
    from unas.store.calibration import RESULTS, calibration_folder
    from unas.study.results_folder import read_calibrated

    config = study.board
    if study.latency.calibration is not None:
        return read_calibrated(Path(study.latency.calibration))
    board = load_board(config.id).id
    places = [calibration_folder(board, at, config.runtime) for at in (results, RESULTS)]
    place = next((place for place in places if place.exists()), places[0])
    try:
        return read_calibrated(place)
    except StoreError as error:
        if study.latency.mode is LatencyMode.MEASURED:
            return None, None
        raise StoreError(
            f"[latency] mode is predicted, but {error}; or search with --latency measured"
        ) from error


def _bench(study: StudyConfig, unit: str | None) -> Bench:
    from unas.hil.measure import Procedure

    config = study.board
    runtime = choose_runtime(config.runtime, config.tflm)
    bench = choose_bench(
        config.id,
        unit,
        config.virtual and unit is None,
        1,
        Procedure(config.warmup, config.runs),
        runtime,
        choose_emulation(config.emulator, config.timing),
    )
    # A virtual board gives the same cycles every time.
    return bench if bench.unit else replace(bench, procedure=replace(bench.procedure, runs=1))


def _store() -> Any:
    from unas._paths import cache_dir
    from unas.store.cache import DirectoryStore

    return DirectoryStore(cache_dir() / "measurements")
