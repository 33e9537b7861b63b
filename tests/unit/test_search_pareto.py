# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from unas.constraints import Constraints
from unas.errors import ConfigError
from unas.record import Outcome
from unas.strategies.pareto import (
    QUANTITIES,
    VALUE_NAMES,
    hypervolume,
    non_dominated,
    pareto_front,
    quantity,
)
from unas.strategies.strategy import RandomSearch
from unas.testing.search import FakeSpace, fake_search

_GRID = st.integers(0, 6).map(float)


def _points(objectives: int) -> st.SearchStrategy[NDArray[np.float64]]:
    row = st.tuples(*[_GRID] * objectives)
    return st.lists(row, max_size=9).map(lambda rows: np.array(rows).reshape(-1, objectives))


_ANY_POINTS = st.integers(1, 4).flatmap(_points)


def _by_inclusion_and_exclusion(points: NDArray[np.float64], corner: NDArray[np.float64]) -> float:
    """Union of boxes: every subset's intersection, with the sign of its size."""
    total = 0.0
    for size in range(1, len(points) + 1):
        for subset in itertools.combinations(points, size):
            shared = np.max(np.array(subset), axis=0)
            total -= (-1) ** size * float(np.prod(np.maximum(corner - shared, 0.0)))
    return total


@given(_ANY_POINTS, st.floats(1.0, 7.0))
def test_hypervolume_is_that_of_the_union_of_boxes(
    points: NDArray[np.float64], reference: float
) -> None:
    corner = np.full(points.shape[1], reference)
    expected = _by_inclusion_and_exclusion(points, corner)
    assert hypervolume(points, corner.tolist()) == pytest.approx(expected, abs=1e-8)


def test_hypervolume_of_a_large_front_agrees_with_counting_random_points() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((60, 4))
    samples = rng.random((40_000, 4))
    covered = np.zeros(len(samples), dtype=bool)
    for point in points:
        covered |= (samples >= point).all(axis=1)
    share = covered.mean()
    spread = np.sqrt(share * (1 - share) / len(samples))
    assert hypervolume(points, [1.0] * 4) == pytest.approx(share, abs=4 * spread)


def test_hypervolume_of_nothing_is_zero_and_dimensions_must_agree() -> None:
    assert hypervolume(np.empty((0, 3)), [1.0, 1.0, 1.0]) == 0.0
    assert hypervolume(np.array([[2.0, 0.0]]), [1.0, 1.0]) == 0.0
    with pytest.raises(ConfigError, match="one reference value an objective"):
        hypervolume(np.ones((2, 3)), [1.0, 1.0])


@given(_ANY_POINTS)
def test_a_front_dominates_the_rest_and_not_itself(points: NDArray[np.float64]) -> None:
    front = set(non_dominated(points).tolist())
    for i, point in enumerate(points):
        dominators = [j for j, p in enumerate(points) if (p <= point).all() and (p < point).any()]
        assert (i in front) == (not dominators)
        assert i in front or set(dominators) & front


BOUNDS = Constraints(error=0.25, model_size_bytes=2000)
RECORDS = fake_search(RandomSearch(FakeSpace()), 200, BOUNDS)


def test_the_front_of_records_is_of_complete_ones_by_the_first_objective() -> None:
    front = pareto_front(RECORDS, ("error", "model_size_bytes"))
    errors = [record.values["error"] for record in front]
    sizes = [record.values["model_size_bytes"] for record in front]
    assert errors == sorted(errors)
    assert sizes == sorted(sizes, reverse=True)
    assert all(record.outcome is Outcome.COMPLETE for record in front)
    complete = [record for record in RECORDS if record.outcome is Outcome.COMPLETE]
    for record in complete:
        assert any(
            f.values["error"] <= record.values["error"]
            and f.values["model_size_bytes"] <= record.values["model_size_bytes"]
            for f in front
        )


def test_a_feasible_front_keeps_the_bounds() -> None:
    front = pareto_front(RECORDS, ("error", "model_size_bytes"), feasible_only=True)
    assert front
    assert all(record.values["error"] <= 0.25 for record in front)
    loose = pareto_front(RECORDS, ("error", "model_size_bytes"))
    assert any(record.values["error"] > 0.25 for record in loose)


def test_records_without_a_quantity_take_no_part_and_unknown_names_are_errors() -> None:
    assert pareto_front(RECORDS, ("error", "board_latency_us")) == []
    with pytest.raises(ConfigError, match="no quantity 'speed'"):
        pareto_front(RECORDS, ("error", "speed"))
    for name in (*VALUE_NAMES, *QUANTITIES):
        quantity(RECORDS[0], name)
