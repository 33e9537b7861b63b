# SPDX-License-Identifier: Apache-2.0
"""Strategies are compared at equal numbers of trainings, and only searches of one study are."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.study_example import write_example
from unas.cli.main import main
from unas.config import StrategyName
from unas.errors import StoreError
from unas.report.study.strategies import (
    as_csv,
    compare_strategies,
    figure,
    final_mean_std,
)
from unas.store.study_folder import StudyResults, read_study
from unas.strategies.progress import covered_share


def as_strategy(study: StudyResults, strategy: StrategyName, name: str) -> StudyResults:
    search = replace(study.config.search, strategy=strategy)
    return replace(study, folder=Path(name), config=replace(study.config, search=search))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("results")
    for seed, rounds in enumerate((60, 45, 50)):
        write_example(place / f"seed{seed}", seed=seed, rounds=rounds)
    return place


@pytest.fixture(scope="module")
def studies(results: Path) -> list[StudyResults]:
    aging = [read_study(f"seed{seed}", results) for seed in range(3)]
    random = [as_strategy(s, StrategyName.RANDOM, f"random{i}") for i, s in enumerate(aging)]
    return [*aging, *reversed(random)]


def test_all_are_cut_to_the_shortest(studies: list[StudyResults]) -> None:
    runs = compare_strategies(studies)
    lengths = [sum(r.training is not None for r in study.records) for study in studies]
    assert [(one.strategy, one.seeds) for one in runs] == [
        ("aging_evolution", (0, 1, 2)),
        ("random", (0, 1, 2)),
    ]
    assert {one.trainings for one in runs} == {min(lengths)} != set(lengths)
    for row, (study, kept) in enumerate(zip(studies[:3], runs[0].feasible, strict=True)):
        first = [r for r in study.records if r.training is not None][: min(lengths)]
        bounds = study.config.judged
        assert runs[0].hypervolume[row, -1] == pytest.approx(covered_share(first, bounds))
        assert runs[0].feasible_hypervolume[row, -1] == pytest.approx(
            covered_share(first, bounds, reach=1.0)
        )
        assert kept == sum(record.feasible for record in first)
    assert runs[0].feasible_hypervolume.max() > 0.0


def test_the_spread_is_that_of_a_sample() -> None:
    course = np.array([[0.1, 0.2], [0.0, 0.4], [0.3, 0.9]])
    found = final_mean_std(course)
    assert found.mean == pytest.approx(0.5)
    assert found.std == pytest.approx(math.sqrt((0.09 + 0.01 + 0.16) / 2))
    assert (final_mean_std(course[:1]).mean, final_mean_std(course[:1]).std) == (0.2, 0.0)


def test_fewer_trainings_on_demand_and_never_more(studies: list[StudyResults]) -> None:
    assert compare_strategies(studies, 5)[0].hypervolume.shape == (3, 5)
    with pytest.raises(StoreError, match=r"trained networks, not 1000; let it go on"):
        compare_strategies(studies, 1000)


def test_a_search_counts_once(studies: list[StudyResults]) -> None:
    with pytest.raises(StoreError, match="both aging_evolution with seed 0"):
        compare_strategies([studies[0], studies[0]])


def test_searches_of_other_studies_are_refused(studies: list[StudyResults]) -> None:
    other = studies[1]
    bounds = replace(other.config.constraints, error=0.2)
    other = replace(other, config=replace(other.config, constraints=bounds))
    with pytest.raises(StoreError, match="not searches of one study"):
        compare_strategies([studies[0], other])


def test_what_only_evolution_reads_may_differ_for_random(studies: list[StudyResults]) -> None:
    def resized(study: StudyResults) -> StudyResults:
        search = replace(study.config.search, population=study.config.search.population + 1)
        return replace(study, config=replace(study.config, search=search))

    evolution, random = studies[:3], studies[3:]
    assert len(compare_strategies([*evolution, *map(resized, random)])) == 2
    assert len(compare_strategies([random[0], *evolution])) == 2
    with pytest.raises(StoreError, match=r"seed1 and seed0 are not searches of one study"):
        compare_strategies([random[0], evolution[0], resized(evolution[1])])


def test_the_table_holds_every_training(studies: list[StudyResults]) -> None:
    runs = compare_strategies(studies)
    rows = list(csv.DictReader(io.StringIO(as_csv(runs))))
    assert len(rows) == len(studies) * runs[0].trainings
    last = [r for r in rows if r["study"] == "random1"][-1]
    assert float(last["covered"]) == pytest.approx(runs[1].hypervolume[1, -1], abs=1e-6)
    assert float(last["within"]) == pytest.approx(runs[1].feasible_hypervolume[1, -1], abs=1e-6)


def test_the_figure_shows_each_search_and_the_means(studies: list[StudyResults]) -> None:
    runs = compare_strategies(studies)
    above, below = figure(runs).axes
    for axes, courses in (
        (above, [r.feasible_hypervolume for r in runs]),
        (below, [r.hypervolume for r in runs]),
    ):
        thick = [line for line in axes.lines if line.get_linewidth() > 1]
        assert len(axes.lines) == len(studies) + len(runs)
        for line, course in zip(thick, courses, strict=True):
            mean = 100 * course[:, -1].mean()
            assert np.asarray(line.get_ydata())[-1] == pytest.approx(mean)
            assert f"{mean:.1f} ±" in str(line.get_label())


def test_the_command_writes_figure_and_table(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["plot", "strategies", "seed0", "seed1", "--results", str(results), "--to",
              str(tmp_path / "deep" / "both")])  # fmt: skip
    assert end.value.code in (0, None)
    assert "aging_evolution" in capsys.readouterr().out
    written = sorted(path.name for path in (tmp_path / "deep").iterdir())
    assert written == ["both.csv", "both.png", "both.svg"]
