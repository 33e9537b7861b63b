# SPDX-License-Identifier: Apache-2.0
"""Replays strategies on a recorded study: in seconds, without board and training.

``replay`` takes the results of proposals from records. So that every strategy proposes recorded
candidates, ``RecordedSpace`` is a search space of the journal's candidates alone: random draws come
from them, and a morph leads to a recorded child of the parent, or to a recorded candidate drawn
anew where there is none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from unas.architecture import Architecture
from unas.config import StrategyName, StudyConfig
from unas.errors import ConfigError, StoreError
from unas.record import Outcome, Record, Stage
from unas.strategies.catalogue import make_strategy
from unas.strategies.progress import covered_share
from unas.strategies.progress import trainings as count_trainings
from unas.strategies.strategy import Strategy

NOT_RECORDED = "not in the journal"


@dataclass(frozen=True, slots=True)
class Replay:
    """The records of a replay.

    Attributes:
        records: In the order of the proposals. What the journal does not hold is FAILED, with the
            cause ``NOT_RECORDED``.
        missing: How many the journal does not hold.
    """

    records: tuple[Record, ...]
    missing: int


def replay(
    strategy: Strategy, recorded: Iterable[Record], rounds: int, *, trainings: int | None = None
) -> Replay:
    """Let a fresh strategy search, with recorded results.

    Records are looked up by genes. A candidate without sparsity gene is also looked up by its
    architecture alone: it gets the first record with that architecture, of that record's candidate.

    Args:
        strategy: Is asked for one proposal after the other.
        recorded: The journal's records.
        rounds: Proposals, at most.
        trainings: The replay also ends with this many trained networks; None: no such end.
    """
    known: dict[str, Record] = {}
    for record in recorded:
        known.setdefault(record.candidate.sha256, record)
        known.setdefault(record.candidate.architecture.sha256, record)
    records, trained = [], 0
    for _ in range(rounds):
        if trained == trainings:
            break
        proposal = strategy.ask()
        candidate = proposal.candidate
        stored = known.get(candidate.sha256)
        if stored is None and candidate.sparsity is None:
            stored = known.get(candidate.architecture.sha256)
        if stored is None:
            cause = NOT_RECORDED
            record = Record(proposal.index, candidate, Outcome.FAILED, Stage.RESOURCES, cause=cause)
        else:
            record = replace(stored, index=proposal.index)
        strategy.tell(record)
        records.append(record)
        trained += record.training is not None
    return Replay(tuple(records), sum(record.cause == NOT_RECORDED for record in records))


class RecordedSpace:
    """The architectures of a journal as a search space. Its candidates have no sparsity gene."""

    def __init__(self, recorded: Iterable[Record]) -> None:
        """A space of these records' architectures.

        Raises:
            ConfigError: There is none.
        """
        self._all: list[Architecture] = []
        self._children: Mapping[str, list[Architecture]] = defaultdict(list)
        architecture_of: dict[str, str] = {}
        seen = set[str]()
        for record in recorded:
            candidate = record.candidate
            digest = candidate.architecture.sha256
            architecture_of[candidate.sha256] = digest
            if candidate.parent in architecture_of:
                self._children[architecture_of[candidate.parent]].append(candidate.architecture)
            if digest not in seen:
                seen.add(digest)
                self._all.append(candidate.architecture)
        if not self._all:
            raise ConfigError("the journal has no records; replay one of a search that ran")

    def random(self, rng: np.random.Generator) -> Architecture:
        """A recorded architecture, drawn uniformly."""
        return self._all[int(rng.integers(len(self._all)))]

    def morph(self, rng: np.random.Generator, arch: Architecture) -> Architecture:
        """A recorded child, or any recorded architecture if there is none."""
        children = self._children.get(arch.sha256)
        if not children:
            return self.random(rng)
        return children[int(rng.integers(len(children)))]


@dataclass(frozen=True, slots=True)
class StrategyReplay:
    """How well a strategy does among the recorded networks.

    Attributes:
        strategy: The strategy.
        covered: For each seed, the share of the space below twice the bounds that its networks
            dominate.
    """

    strategy: StrategyName
    covered: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.covered))

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds (n - 1); 0 of a single one."""
        return float(np.std(self.covered, ddof=1)) if len(self.covered) > 1 else 0.0


def replay_strategy(
    strategy: StrategyName,
    study: StudyConfig,
    recorded: Sequence[Record],
    *,
    seeds: int,
    count: int,
) -> StrategyReplay:
    """Let a strategy search among recorded networks, once for each seed.

    It may propose nothing else, so all strategies find the same in the end: look at fewer
    trainings than the journal has. Candidates are taken with the sparsity they had.

    Args:
        strategy: The strategy.
        study: Its bounds and the strategies' settings.
        recorded: The journal's records.
        seeds: Searches, with the seeds from 0 on.
        count: Trainings of each.

    Raises:
        ConfigError: The journal has not that many trained networks.
        StoreError: It has none.
    """
    known = count_trainings(recorded)
    if not known:
        raise StoreError("no network of the journal was trained yet; let the search go on")
    if not 1 <= count <= known:
        raise ConfigError(
            f"the journal has {known} trained networks, not {count}; give 1 to {known} trainings"
        )
    space, covered = RecordedSpace(recorded), []
    for seed in range(seeds):
        search = replace(study.search, strategy=strategy, seed=seed)
        one = replace(study, search=search, pruning=None)
        result = replay(make_strategy(one, space), recorded, len(recorded), trainings=count)
        covered.append(covered_share(result.records, study.judged))
    return StrategyReplay(strategy, tuple(covered))


@dataclass(frozen=True, slots=True)
class ReplayComparison:
    """All strategies tried on one recorded study.

    Attributes:
        trainings: Trained networks of each search.
        recorded_trainings: Trained networks of the journal.
        hypervolume: Of all recorded networks: share of the space below twice the bounds.
        trials: One a strategy.
    """

    trainings: int
    recorded_trainings: int
    hypervolume: float
    trials: tuple[StrategyReplay, ...]


def try_strategies(
    study: StudyConfig, recorded: Sequence[Record], *, seeds: int = 10, trainings: int | None = None
) -> ReplayComparison:
    """Let every strategy search among recorded networks.

    Args:
        study: Its bounds and the strategies' settings.
        recorded: The journal's records.
        seeds: Searches of each strategy, with the seeds from 0 on.
        trainings: Trained networks of each search; None: half of the journal's.

    Raises:
        ConfigError: The journal has not that many trained networks.
        StoreError: It has none.
    """
    known = count_trainings(recorded)
    count = trainings or max(known // 2, 1)
    trials = [
        replay_strategy(strategy, study, recorded, seeds=seeds, count=count)
        for strategy in StrategyName
    ]
    return ReplayComparison(count, known, covered_share(recorded, study.judged), tuple(trials))
