# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from unas.config import SearchConfig, StrategyName
from unas.config.load import study_from_dict
from unas.constraints import Constraints
from unas.record import Outcome, Record, Stage
from unas.space.catalogue import SPACE_NAMES, find_space
from unas.strategies.aging import AgingEvolution
from unas.strategies.catalogue import STRATEGIES, make_strategy
from unas.strategies.strategy import RandomSearch, SearchSpace, SparsityGene, Strategy
from unas.testing.search import FakeSpace, fake_record, fake_search
from unas.testing.strategy_contract import StrategyContract


class TestAgingEvolution(StrategyContract):
    def strategy(
        self, space: SearchSpace, *, seed: int = 0, sparsity: SparsityGene | None = None
    ) -> Strategy:
        return AgingEvolution(
            space, self.bounds, population=30, sample=8, seed=seed, sparsity=sparsity
        )


class TestRandomSearch(StrategyContract):
    def strategy(
        self, space: SearchSpace, *, seed: int = 0, sparsity: SparsityGene | None = None
    ) -> Strategy:
        return RandomSearch(space, seed=seed, sparsity=sparsity)


BOUNDS = Constraints(error=0.2, peak_memory_bytes=45, model_size_bytes=1000)  # tight


def _evolution(
    seed: int = 0, population: int = 20, sample: int = 25, initial: int | None = None
) -> AgingEvolution:
    return AgingEvolution(
        FakeSpace(), BOUNDS, population=population, sample=sample, initial=initial, seed=seed
    )


def test_the_first_candidates_are_random_and_later_ones_children_of_the_population() -> None:
    strategy = _evolution()
    for index in range(100):
        proposal = strategy.ask()
        parent = proposal.candidate.parent
        assert (parent is None) == (index < 20)
        assert parent is None or parent in {c.sha256 for c in strategy.population}
        strategy.tell(fake_record(proposal, BOUNDS))


def test_the_oldest_leaves_but_first_those_that_were_not_trained_to_the_end() -> None:
    strategy, alive = _evolution(), list[tuple[str, bool]]()
    seen = set[bool]()
    for _ in range(200):
        proposal = strategy.ask()
        record = fake_record(proposal, BOUNDS)
        strategy.tell(record)
        alive.append((proposal.candidate.sha256, record.outcome is Outcome.COMPLETE))
        if len(alive) > 20:
            crowd = [entry for entry in alive if not entry[1]]
            gone = crowd[0] if crowd else alive[0]
            alive.remove(gone)
            seen.add(gone[1])
        assert [c.sha256 for c in strategy.population] == [sha256 for sha256, _ in alive]
    assert seen == {True, False}


def test_few_trained_networks_outlive_a_crowd_of_infeasible_ones() -> None:
    """A long random start, most of it infeasible: its trained networks are still there."""
    strategy = _evolution(initial=300, population=20)
    records = fake_search(strategy, 300, Constraints(peak_memory_bytes=20, error=1.0))
    trained = [r.candidate for r in records if r.outcome is Outcome.COMPLETE]
    assert 0 < len(trained) < 20
    assert set(trained) <= set(strategy.population)


def test_both_strategies_start_with_the_same_candidates() -> None:
    other = RandomSearch(FakeSpace(), seed=5)
    strategy = _evolution(seed=5)
    for _ in range(20):
        assert strategy.ask() == other.ask()


def test_failed_records_are_no_parents_and_infeasible_ones_may_be() -> None:
    strategy = _evolution(initial=2, population=5)
    ours, theirs = strategy.ask(), strategy.ask()
    strategy.tell(fake_record(ours, Constraints(model_size_bytes=1)))
    failed = fake_record(theirs, BOUNDS)
    strategy.tell(Record(failed.index, failed.candidate, Outcome.FAILED, failed.stage))
    assert strategy.population == (ours.candidate,)
    assert strategy.ask().candidate.parent == ours.candidate.sha256


@pytest.mark.parametrize("refused_first", [True, False])
def test_what_the_board_refused_is_no_parent_while_anything_else_is_known(
    refused_first: bool,
) -> None:
    """Its error and sizes are the best of all; the other one violates every bound."""
    strategy = _evolution(initial=2, population=5)
    first, second = strategy.ask(), strategy.ask()
    refused, other = (first, second) if refused_first else (second, first)
    bounds = BOUNDS.bounds()
    good = {name: 0.1 * bound for name, bound in bounds.items()}
    bad = {name: 9.0 * bound for name, bound in bounds.items()}
    records = [
        Record(refused.index, refused.candidate, Outcome.INFEASIBLE, Stage.BOARD, good),
        Record(other.index, other.candidate, Outcome.INFEASIBLE, Stage.RESOURCES, bad, dict(bad)),
    ]
    for record in sorted(records, key=lambda one: one.index):
        strategy.tell(record)
    for _ in range(20):  # all draws of 25 from two members hold both, but for one in 10^7
        proposal = strategy.ask()
        assert proposal.candidate.parent == other.candidate.sha256


def test_a_population_without_feasible_members_finds_the_bounds() -> None:
    """Where random draws hit the bounds once in hundreds, evolution follows the violations."""
    tight = Constraints(error=0.6, peak_memory_bytes=24, model_size_bytes=150)
    strategy = AgingEvolution(FakeSpace(), tight, population=20, sample=8)
    fits = [not r.violations for r in fake_search(strategy, 400, tight)]
    drawn = [not r.violations for r in fake_search(RandomSearch(FakeSpace()), 400, tight)]
    assert sum(fits[:20]) == sum(drawn[:20])
    assert sum(fits[200:]) > 10 * (1 + sum(drawn[200:]))


def test_a_childs_sparsity_is_its_parents_and_a_normal_step() -> None:
    gene = SparsityGene(0.0, 0.9, 0.05)
    rng = np.random.default_rng(0)
    children = np.array([gene.child(rng, 0.45) for _ in range(4000)])
    assert children.mean() == pytest.approx(0.45, abs=4 * 0.05 / np.sqrt(4000))
    assert children.std() == pytest.approx(0.05, rel=0.06)
    assert {gene.child(rng, 0.9) for _ in range(50)} & {0.9}
    starts = np.array([gene.draw(rng) for _ in range(4000)])
    assert starts.mean() == pytest.approx(0.45, abs=4 * 0.9 / np.sqrt(12 * 4000))
    assert 0.0 <= starts.min() < 0.01 < 0.89 < starts.max() <= 0.9


def test_every_strategy_of_the_configuration_can_be_made() -> None:
    assert set(STRATEGIES) == set(StrategyName)
    for name in StrategyName:
        study = study_from_dict(
            {
                "data": {"name": "digits"},
                "constraints": {"error": 0.3, "model_size": 900},
                "search": {"strategy": name.value, "population": 10, "sample": 3, "seed": 4},
                "training": {"epochs": 9},
                "pruning": {"finish_epoch": 5, "min_sparsity": 0.3, "max_sparsity": 0.5},
            },
            "test",
            "test",
        )
        records = fake_search(make_strategy(study, FakeSpace()), 30, study.judged)
        assert all(0.3 <= (r.candidate.sparsity or 0.0) <= 0.5 for r in records)
        assert (records[-1].candidate.parent is None) == (name is StrategyName.RANDOM)


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_the_real_spaces_are_searched_reproducibly(name: str) -> None:
    """Proposals stay in the space, and a search told half of its records ends in the same ones."""
    space = find_space(name)
    whole: list[Record] = []
    for told in (0, 45):
        strategy = AgingEvolution(space, BOUNDS, population=15, sample=5)
        for record in whole[:told]:
            strategy.tell(record)
        records = whole[:told]
        while len(records) < 90:
            proposal = strategy.ask()
            space.validate(proposal.candidate.architecture)
            error = int(proposal.candidate.sha256[:4], 16) / 65536
            records.append(
                Record(
                    proposal.index,
                    proposal.candidate,
                    Outcome.COMPLETE,
                    Stage.DONE,
                    {"error": error},
                )
            )
            strategy.tell(records[-1])
        assert not whole or records == whole
        whole = records
    assert len({record.candidate.sha256 for record in whole}) == 90


def test_defaults_are_the_papers() -> None:
    config = SearchConfig()
    assert (config.population, config.sample, config.initial) == (100, 25, None)
    assert (config.rounds, config.cap, config.sparsity_step) == (2000, 10.0, 0.05)
