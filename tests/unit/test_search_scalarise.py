# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unas.constraints import Constraints
from unas.strategies.scalarise import Scalarisation

BOUNDS = Constraints(error=0.1, peak_memory_bytes=1000, model_size_bytes=500)
SCALE = Scalarisation(BOUNDS)
_QUANTITY = st.floats(0.0, 20.0)
_WEIGHTS = st.lists(st.floats(1e-6, 1.0), min_size=3, max_size=3).map(np.array)


def _row(*ratios: float | None) -> dict[str, float]:
    """Values with these ratios to the bounds; None where the quantity is not known."""
    named = zip(BOUNDS.bounds().items(), ratios, strict=True)
    return {name: ratio * bound for (name, bound), ratio in named if ratio is not None}


def _best(rows: list[dict[str, float]], weights: np.ndarray) -> int:
    return SCALE.best(np.stack([SCALE.ratios(row) for row in rows]), weights)


@given(st.lists(st.tuples(_QUANTITY, _QUANTITY, _QUANTITY), min_size=1, max_size=12), _WEIGHTS)
def test_trained_records_compare_as_in_the_paper(
    rows: list[tuple[float, float, float]], weights: np.ndarray
) -> None:
    values = [_row(*row) for row in rows]
    bounds = list(BOUNDS.bounds().items())
    scores = [
        max(min(v[name] / b, 10.0) / w for (name, b), w in zip(bounds, weights, strict=True))
        for v in values
    ]
    assert _best(values, weights) == int(np.argmin(scores))


@given(st.tuples(*[st.floats(0.0, 1.0)] * 3), st.floats(1.01, 20.0), st.floats(0.0, 1.0), _WEIGHTS)
def test_where_the_violated_objective_decides_the_feasible_record_wins(
    feasible: tuple[float, float, float], violation: float, other: float, weights: np.ndarray
) -> None:
    untrained = _row(None, violation, other)
    decided_by = int(np.argmax(np.array(feasible) / weights))
    if decided_by in (0, 1):  # by the error, which the other does not know, or by the violated one
        assert _best([untrained, _row(*feasible)], weights) == 1


@given(_WEIGHTS)
def test_no_error_is_never_better_than_a_bad_one(weights: np.ndarray) -> None:
    for error in (1.5, 9.0, 99.0):
        assert _best([_row(None, 0.5, 0.5), _row(error, 0.5, 0.5)], weights) == 1


@given(st.floats(1.0, 9.0), st.floats(0.01, 1.0), _WEIGHTS)
def test_of_two_untrained_records_the_smaller_violation_wins(
    violation: float, more: float, weights: np.ndarray
) -> None:
    rows = [_row(None, violation + more, 0.5), _row(None, violation, 0.5)]
    known = max(violation / weights[1], 0.5 / weights[2])
    ties = known == 0.5 / weights[2] and (violation + more) / weights[1] <= known
    assert _best(rows, weights) == (0 if ties else 1)


def test_nothing_known_loses_even_in_the_last_place() -> None:
    assert _best([{}, _row(None, 9.0, 9.0)], np.ones(3)) == 1


def test_the_first_of_equals_wins() -> None:
    assert _best([_row(0.5, 0.5, 0.5)] * 3, np.ones(3)) == 0


def test_a_bound_left_out_does_not_count_and_changes_no_other_weight() -> None:
    two = Scalarisation(Constraints(error=0.1, model_size_bytes=500))
    assert two.ratios(_row(0.5, 99.0, 0.25)).tolist() == [0.5, 0.25]
    ours = SCALE.draw_weights(np.random.default_rng(1))
    theirs = two.draw_weights(np.random.default_rng(1))
    assert theirs.tolist() == [ours[0], ours[2]]


def test_weights_are_uniform_and_never_zero() -> None:
    rng = np.random.default_rng(0)
    drawn = np.concatenate([SCALE.draw_weights(rng) for _ in range(3000)])
    assert 0.0 < drawn.min() < 0.01 < 0.99 < drawn.max() <= 1.0
    assert abs(drawn.mean() - 0.5) < 4 / np.sqrt(12 * drawn.size)
