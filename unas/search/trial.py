# SPDX-License-Identifier: Apache-2.0
"""Strategies tried out on a recorded study: in seconds, without board and training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unas.config import StrategyName, StudyConfig
from unas.errors import ConfigError, StoreError
from unas.record import Record
from unas.search.catalogue import make_strategy
from unas.search.progress import covered_share, trainings
from unas.search.replay import RecordedSpace, replay


@dataclass(frozen=True, slots=True)
class Trial:
    """What one strategy finds among the recorded networks.

    Attributes:
        strategy: Which.
        covered: For each seed, the share of the space below twice the bounds that its networks
            dominate.
    """

    strategy: StrategyName
    covered: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.covered))

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds (n - 1); 0 of a single one."""
        return float(np.std(self.covered, ddof=1)) if len(self.covered) > 1 else 0.0


def try_strategy(
    strategy: StrategyName,
    study: StudyConfig,
    recorded: Sequence[Record],
    *,
    seeds: int,
    count: int,
) -> Trial:
    """Let a strategy search among recorded networks, once for each seed.

    It may propose nothing else, so all strategies find the same in the end: look at fewer
    trainings than the journal has. Candidates are taken with the sparsity they had.

    Args:
        strategy: Which.
        study: Its bounds and the strategies' settings.
        recorded: The journal's records.
        seeds: Searches, with the seeds from 0 on.
        count: Trainings of each.

    Raises:
        ConfigError: The journal has not that many trained networks.
        StoreError: It has none.
    """
    known = trainings(recorded)
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
        told = replay(make_strategy(one, space), recorded, len(recorded), trainings=count)
        covered.append(covered_share(told.records, study.judged))
    return Trial(strategy, tuple(covered))
