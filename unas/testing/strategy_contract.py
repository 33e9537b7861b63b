# SPDX-License-Identifier: Apache-2.0
"""The contract of search strategies; subclass it, implement ``strategy``, and pytest runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from unas.architecture import Architecture, DenseLayer, MlpArchitecture
from unas.constraints import Constraints
from unas.errors import StoreError
from unas.record import Outcome, Record, Stage
from unas.strategies.strategy import SearchSpace, SparsityGene, Strategy
from unas.testing.search import FakeSpace, fake_record, fake_search


class StrategyContract(ABC):
    """What every strategy promises."""

    bounds = Constraints(error=0.3, peak_memory_bytes=60, model_size_bytes=900)
    rounds = 120

    @abstractmethod
    def strategy(
        self, space: SearchSpace, *, seed: int = 0, sparsity: SparsityGene | None = None
    ) -> Strategy:
        """A fresh strategy for these bounds; its random start is to be shorter than ``rounds``."""

    def test_proposals_are_numbered_in_order(self) -> None:
        """From 0, without gaps."""
        records = fake_search(self.strategy(FakeSpace()), self.rounds, self.bounds)
        assert [record.index for record in records] == list(range(self.rounds))

    def test_equal_seeds_and_records_give_equal_proposals(self) -> None:
        """And other seeds give others."""
        runs = [
            fake_search(self.strategy(FakeSpace(), seed=seed), self.rounds, self.bounds)
            for seed in (7, 7, 8)
        ]
        assert runs[0] == runs[1]
        assert runs[0] != runs[2]

    def test_it_goes_on_from_records_alone(self) -> None:
        """Wherever a search broke off, its records are all that is needed."""
        gene = SparsityGene(0.1, 0.8)
        whole = fake_search(self.strategy(FakeSpace(), sparsity=gene), self.rounds, self.bounds)
        for cut in (0, 1, 17, self.rounds // 2, self.rounds - 1):
            resumed = self.strategy(FakeSpace(), sparsity=gene)
            for record in whole[:cut]:
                resumed.tell(record)
            rest = fake_search(resumed, self.rounds - cut, self.bounds)
            assert rest == whole[cut:]

    def test_several_proposals_may_be_open_and_answered_out_of_order(self) -> None:
        """With four workers every number comes once, and no candidate twice."""
        strategy, shuffle = self.strategy(FakeSpace()), np.random.default_rng(3)
        open_proposals = [strategy.ask() for _ in range(4)]
        records: list[Record] = []
        while len(records) < self.rounds:
            proposal = open_proposals.pop(int(shuffle.integers(len(open_proposals))))
            records.append(fake_record(proposal, self.bounds))
            strategy.tell(records[-1])
            open_proposals.append(strategy.ask())
        numbers = [r.index for r in records] + [p.index for p in open_proposals]
        assert sorted(numbers) == list(range(self.rounds + 4))
        assert len({record.candidate.sha256 for record in records}) == self.rounds

    def test_what_was_open_when_a_search_broke_off_is_proposed_anew(self) -> None:
        """Under its own number, before any new one."""
        records = fake_search(self.strategy(FakeSpace()), 12, self.bounds)
        resumed = self.strategy(FakeSpace())
        for record in records:
            if record.index not in (3, 8):
                resumed.tell(record)
        assert [resumed.ask().index for _ in range(3)] == [3, 8, 12]

    def test_no_candidate_twice_while_there_are_others(self) -> None:
        """A space of 84 members: at least 60 of them come before anything is repeated."""
        strategy, seen = self.strategy(FakeSpace(units=4)), set[str]()
        for _ in range(60):
            proposal = strategy.ask()
            assert not proposal.repeated
            assert proposal.candidate.sha256 not in seen
            seen.add(proposal.candidate.sha256)
            strategy.tell(fake_record(proposal, self.bounds))

    def test_an_exhausted_space_is_an_error_and_no_endless_loop(self) -> None:
        """Three members: from the fourth proposal on every one is marked."""
        strategy = self.strategy(_Three())
        marks = []
        for _ in range(40):
            proposal = strategy.ask()
            marks.append(proposal.repeated)
            strategy.tell(fake_record(proposal, self.bounds))
        assert marks.count(False) == 3
        assert all(marks[-30:])

    def test_failures_do_not_stop_it(self) -> None:
        """Even if every candidate fails, there are new ones."""
        strategy, seen = self.strategy(FakeSpace()), set[str]()
        for _ in range(self.rounds):
            proposal = strategy.ask()
            seen.add(proposal.candidate.sha256)
            strategy.tell(
                Record(
                    proposal.index, proposal.candidate, Outcome.FAILED, Stage.BOARD, cause="no link"
                )
            )
        assert len(seen) == self.rounds

    def test_the_sparsity_gene_stays_in_its_range(self) -> None:
        """Every candidate has one, and not all the same; without pruning none has."""
        gene = SparsityGene(0.2, 0.6)
        records = fake_search(self.strategy(FakeSpace(), sparsity=gene), self.rounds, self.bounds)
        genes = {record.candidate.sparsity for record in records}
        assert all(value is not None and 0.2 <= value <= 0.6 for value in genes)
        assert len(genes) > self.rounds // 4
        plain = fake_search(self.strategy(FakeSpace()), 20, self.bounds)
        assert all(record.candidate.sparsity is None for record in plain)

    def test_a_number_is_accepted_once(self) -> None:
        """A second record of it is an error, not a second opinion."""
        strategy = self.strategy(FakeSpace())
        record = fake_record(strategy.ask(), self.bounds)
        strategy.tell(record)
        try:
            strategy.tell(record)
        except StoreError:
            return
        raise AssertionError("the second record of one number was accepted")


class _Three(FakeSpace):
    """One layer of one to three units."""

    def random(self, rng: np.random.Generator) -> MlpArchitecture:
        """One of three."""
        return MlpArchitecture((DenseLayer(int(rng.integers(1, 4))),))

    def morph(self, rng: np.random.Generator, arch: Architecture) -> MlpArchitecture:
        """One of three, the parent too."""
        return self.random(rng)
