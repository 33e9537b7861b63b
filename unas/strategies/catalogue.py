# SPDX-License-Identifier: Apache-2.0
"""All strategies by name."""

from __future__ import annotations

from collections.abc import Callable

from unas.config import SearchConfig, StrategyName, StudyConfig
from unas.constraints import Constraints
from unas.strategies.aging import AgingEvolution
from unas.strategies.strategy import RandomSearch, SearchSpace, SparsityGene, Strategy

_Maker = Callable[[SearchConfig, SearchSpace, Constraints, SparsityGene | None], Strategy]


def make_strategy(study: StudyConfig, space: SearchSpace) -> Strategy:
    """The strategy of a study, before its first proposal.

    Args:
        study: Says which one, and its settings.
        space: The study's search space.
    """
    pruning, step = study.pruning, study.search.sparsity_step
    sparsity = None
    if pruning is not None:
        sparsity = SparsityGene(pruning.min_sparsity, pruning.max_sparsity, step)
    return STRATEGIES[study.search.strategy](study.search, space, study.judged, sparsity)


def _aging(
    config: SearchConfig, space: SearchSpace, bounds: Constraints, sparsity: SparsityGene | None
) -> Strategy:
    return AgingEvolution(
        space,
        bounds,
        population=config.population,
        sample=config.sample,
        initial=config.initial,
        seed=config.seed,
        tries=config.tries,
        cap=config.cap,
        sparsity=sparsity,
    )


def _random(
    config: SearchConfig, space: SearchSpace, _: Constraints, sparsity: SparsityGene | None
) -> Strategy:
    return RandomSearch(space, seed=config.seed, tries=config.tries, sparsity=sparsity)


STRATEGIES: dict[StrategyName, _Maker] = {
    StrategyName.AGING_EVOLUTION: _aging,
    StrategyName.RANDOM: _random,
}
