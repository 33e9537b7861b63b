# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.study_example import example_config, write_example
from unas.cli.main import main
from unas.config import StrategyName
from unas.constraints import Constraints
from unas.errors import ConfigError, StoreError
from unas.record import Outcome
from unas.strategies.aging import AgingEvolution
from unas.strategies.progress import covered_share, trainings
from unas.strategies.replay import NOT_RECORDED, RecordedSpace, replay, replay_strategy
from unas.strategies.strategy import RandomSearch, SearchSpace, SparsityGene
from unas.testing.search import FakeSpace, fake_search

BOUNDS = Constraints(error=0.2, peak_memory_bytes=45, model_size_bytes=1000)


def _evolution(space: SearchSpace, sparsity: SparsityGene | None = None) -> AgingEvolution:
    return AgingEvolution(space, BOUNDS, population=20, sample=5, sparsity=sparsity)


def test_the_strategy_that_wrote_a_journal_finds_all_of_it() -> None:
    for sparsity in (None, SparsityGene(0.1, 0.6)):
        recorded = fake_search(_evolution(FakeSpace(), sparsity), 150, BOUNDS)
        again = replay(_evolution(FakeSpace(), sparsity), recorded, 150)
        assert (list(again.records), again.missing) == (recorded, 0)


def test_what_is_not_in_the_journal_is_told_and_not_made_up() -> None:
    recorded = fake_search(_evolution(FakeSpace()), 60, BOUNDS)
    other = replay(RandomSearch(FakeSpace(), seed=9), recorded, 60)
    known = {record.candidate.sha256 for record in recorded}
    assert 0 < other.missing <= 60
    missing = 0
    for record in other.records:
        if record.candidate.sha256 not in known:
            assert (record.outcome, record.cause) == (Outcome.FAILED, NOT_RECORDED)
            assert not record.values
            missing += 1
    assert missing == other.missing
    assert [record.index for record in other.records] == list(range(60))


@pytest.mark.parametrize("sparsity", [None, SparsityGene(0.1, 0.6)])
def test_any_strategy_searches_the_space_of_a_journal(sparsity: SparsityGene | None) -> None:
    recorded = fake_search(_evolution(FakeSpace(), sparsity), 200, BOUNDS)
    by_architecture = {r.candidate.architecture.sha256: r for r in reversed(recorded)}
    for strategy in (_evolution, RandomSearch):
        found = replay(strategy(RecordedSpace(recorded)), recorded, 80)
        assert found.missing == 0
        for record in found.records:
            first = by_architecture[record.candidate.architecture.sha256]
            assert replace(record, index=first.index) == first


def test_morphs_of_a_recorded_space_are_recorded_children() -> None:
    recorded = fake_search(_evolution(FakeSpace()), 200, BOUNDS)
    space, rng = RecordedSpace(recorded), np.random.default_rng(0)
    by_digest = {record.candidate.sha256: record.candidate for record in recorded}
    children = {
        (by_digest[r.candidate.parent].architecture.sha256, r.candidate.architecture.sha256)
        for r in recorded
        if r.candidate.parent is not None
    }
    for parent, _ in sorted(children):
        arch = next(r for r in recorded if r.candidate.architecture.sha256 == parent)
        child = space.morph(rng, arch.candidate.architecture)
        assert (parent, child.sha256) in children


def test_a_journal_without_records_is_no_space() -> None:
    with pytest.raises(ConfigError, match="no records"):
        RecordedSpace([])


def test_a_replay_ends_with_its_trainings() -> None:
    recorded = fake_search(RandomSearch(FakeSpace()), 200, BOUNDS)
    found = replay(_evolution(RecordedSpace(recorded)), recorded, 200, trainings=10)
    assert sum(record.training is not None for record in found.records) == 10
    assert found.records[-1].training is not None


def test_strategies_are_tried_on_a_journal() -> None:
    """All find the same in the end; how soon differs from seed to seed."""
    study = replace(example_config(), constraints=BOUNDS)
    recorded = fake_search(RandomSearch(FakeSpace()), 150, BOUNDS)
    count = trainings(recorded)
    half = replay_strategy(StrategyName.RANDOM, study, recorded, seeds=5, count=count // 2)
    assert len(set(half.covered)) > 1
    whole = covered_share(recorded, BOUNDS)
    assert 0 < half.mean < whole
    assert half.spread == pytest.approx(np.std(half.covered, ddof=1))
    assert max(half.covered) <= whole
    with pytest.raises(ConfigError, match=f"has {count} trained networks, not {count + 1}"):
        replay_strategy(StrategyName.RANDOM, study, recorded, seeds=1, count=count + 1)


def test_without_trained_networks_there_is_nothing_to_try() -> None:
    study = replace(example_config(), constraints=BOUNDS)
    recorded = [
        record
        for record in fake_search(RandomSearch(FakeSpace()), 60, BOUNDS)
        if record.training is None
    ]
    assert recorded
    with pytest.raises(StoreError, match="was trained yet; let the search go on"):
        replay_strategy(StrategyName.RANDOM, study, recorded, seeds=1, count=1)


def test_the_command_tries_every_strategy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_example(tmp_path / "one", rounds=40)
    with pytest.raises(SystemExit) as end:
        main(["replay", "one", "--seeds", "3", "--format", "json", "--results", str(tmp_path)])
    assert end.value.code in (0, None)
    told = json.loads(capsys.readouterr().out)
    assert set(told["covered"]) == set(StrategyName)
    assert all(len(shares) == 3 for shares in told["covered"].values())
    assert told["trainings"] == told["of"] // 2
