# SPDX-License-Identifier: Apache-2.0
"""Evolution against random search: a real search space and real resources, with a guessed error.

Both may train as many networks; what violates a bound is not trained and costs nothing, as in a
study. Errors follow a guess with what real ones have: more work and more weights help, ever less;
layers without batch normalisation or activation waste them; and equal networks differ by luck. The
guess decides how large the advantage is, not that there is one: evolution without selection is
compared too, and loses.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.typing import NDArray

from unas.architecture import CnnArchitecture
from unas.candidate import Candidate
from unas.constraints import Constraints
from unas.record import Outcome, Record, Stage
from unas.resources.counts import macs
from unas.resources.estimate import footprint
from unas.space.catalogue import find_space
from unas.strategies.aging import AgingEvolution
from unas.strategies.pareto import hypervolume
from unas.strategies.strategy import RandomSearch, Strategy

# Space and bounds of results/published/mnist_t10k_strategies, but for the bound of the error.
SPACE = find_space("cnn", {"blocks": [1, 4], "filters": [1, 32], "units": [10, 64]})
BOUNDS = Constraints(error=0.1, peak_memory_bytes=2500, model_size_bytes=4000, macs=100_000)
TRAININGS, SEEDS = 300, 8


@functools.cache
def values_of(candidate: Candidate) -> tuple[tuple[str, float], ...]:
    """Real resources, and the guessed error, which depends on nothing but the genes."""
    arch = candidate.architecture
    assert isinstance(arch, CnnArchitecture)
    graph = SPACE.graph(arch, (28, 28, 1), 10)
    work, size = macs(graph), footprint(graph)
    layers = [layer for block in arch.blocks for layer in block.layers]
    useful = np.mean([x for y in layers for x in (y.batch_norm, y.relu, not y.prepool)])
    capacity = np.log2(1 + work / 1000) + np.log2(1 + size.model_size_bytes / 100)
    luck = int(candidate.sha256[:6], 16) / 0xFFFFFF - 0.5
    error = 0.02 + 0.9 * np.exp(-0.3 * capacity * useful**2) * (1 + 0.1 * luck)
    return (
        ("error", min(float(error), 0.9)),
        ("peak_memory_bytes", float(size.peak_memory_bytes)),
        ("model_size_bytes", float(size.model_size_bytes)),
        ("macs", float(work)),
    )


def search(strategy: Strategy) -> list[Record]:
    """Records until as many networks are trained as there may be."""
    records: list[Record] = []
    trained = 0
    while trained < TRAININGS:
        proposal = strategy.ask()
        values = dict(values_of(proposal.candidate))
        known = {name: value for name, value in values.items() if name != "error"}
        index, candidate = proposal.index, proposal.candidate
        violations = BOUNDS.violations(known)
        if violations:
            outcome, stage = Outcome.INFEASIBLE, Stage.RESOURCES
            record = Record(index, candidate, outcome, stage, known, violations)
        else:
            outcome, stage = Outcome.COMPLETE, Stage.DONE
            record = Record(index, candidate, outcome, stage, values, BOUNDS.violations(values))
            trained += 1
        strategy.tell(record)
        records.append(record)
    return records


def volume(records: list[Record]) -> float:
    """Hypervolume of what was trained, within the bounds and in units of them."""
    bounds = BOUNDS.bounds()
    trained = [record for record in records if record.outcome is Outcome.COMPLETE]
    assert len(trained) == TRAININGS
    points = [[record.values[name] / bound for name, bound in bounds.items()] for record in trained]
    return hypervolume(np.array(points), [1.0] * len(bounds))


def evolution(seed: int, sample: int = 10) -> AgingEvolution:
    return AgingEvolution(SPACE, BOUNDS, population=30, sample=sample, initial=300, seed=seed)


@pytest.fixture(scope="module")
def drawn() -> NDArray[np.float64]:
    return np.array([volume(search(RandomSearch(SPACE, seed=seed))) for seed in range(SEEDS)])


def paired_t(advantage: NDArray[np.float64]) -> float:
    """Student's t of paired differences."""
    return float(advantage.mean() / (advantage.std(ddof=1) / np.sqrt(len(advantage))))


def test_evolution_beats_random_search_at_equal_trainings(drawn: NDArray[np.float64]) -> None:
    evolved = np.array([volume(search(evolution(seed))) for seed in range(SEEDS)])
    # t of 7 degrees of freedom exceeds 3.0 by chance once in 100; here it is 5.
    assert paired_t(evolved - drawn) > 3.0
    assert (evolved > drawn).sum() >= SEEDS - 1
    assert evolved.mean() > 1.15 * drawn.mean()  # here 1.33


def test_without_selection_it_does_not(drawn: NDArray[np.float64]) -> None:
    """A tournament of one member is a random walk: what wins above is the choice of parents."""
    walked = np.array([volume(search(evolution(seed, sample=1))) for seed in range(4)])
    assert walked.mean() < drawn.mean()


def test_a_seed_gives_the_same_search() -> None:
    assert search(evolution(0)) == search(evolution(0))
    others = {record.candidate.sha256 for record in search(evolution(1))}
    assert len({r.candidate.sha256 for r in search(evolution(0))} & others) < 20
