# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_percentage_error, r2_score

from unas.cost.mac_line import Fit, cross_validated, fit_line, fit_quantity
from unas.cost.metrics import regression_metrics
from unas.errors import StoreError

numbers = st.floats(1, 1e6)
points = st.lists(st.tuples(numbers, numbers), min_size=5, max_size=60).filter(
    lambda ps: np.ptp([x for x, _ in ps]) > 1 and np.ptp([y for _, y in ps]) > 1
)


@given(points)
def test_the_line_is_scikit_learns(pairs: list[tuple[float, float]]) -> None:
    x, y = np.array(pairs).T
    ours, theirs = fit_line(x, y), LinearRegression().fit(x[:, None], y)
    assert np.allclose(ours.predict(x), theirs.predict(x[:, None]), rtol=1e-6, atol=1e-3)


@given(points)
def test_the_metrics_are_scikit_learns(pairs: list[tuple[float, float]]) -> None:
    predicted, found = np.array(pairs).T
    ours = regression_metrics(predicted, found)
    assert math.isclose(ours.r2, r2_score(found, predicted), rel_tol=1e-9)
    mape = mean_absolute_percentage_error(found, predicted) * 100
    assert math.isclose(ours.mape_percent, mape, rel_tol=1e-9)


def test_a_perfect_line_is_perfect() -> None:
    x = np.linspace(1, 100, 40)
    fit = fit_quantity("y", "x", list(x), list(3 * x + 7), seed=0)
    assert math.isclose(fit.line.slope, 3)
    assert math.isclose(fit.line.intercept, 7)
    for judged in (fit.in_sample, fit.cross_validated):
        assert judged.within_10_percent == 100
        assert math.isclose(judged.spearman, 1)
        assert math.isclose(judged.kendall, 1)


def test_held_out_points_do_not_help_themselves() -> None:
    """One wild point bends the line fitted on it, but not the one that predicts it."""
    x = np.arange(1.0, 21.0)
    y = 2 * x
    y[10] = 500
    predicted = cross_validated(x, y, folds=len(x), seed=0)
    assert math.isclose(predicted[10], 2 * x[10])
    assert fit_line(x, y).predict(x)[10] > predicted[10]


def test_folds_are_drawn_by_seed() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random(30), rng.random(30)
    again = [cross_validated(x, y, folds=5, seed=s) for s in (1, 1, 2)]
    assert np.array_equal(again[0], again[1])
    assert not np.array_equal(again[0], again[2])


@pytest.mark.parametrize("x", [[1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0]])
def test_too_few_points_are_refused(x: list[float]) -> None:
    with pytest.raises(StoreError, match="measure more"):
        fit_quantity("y", "x", x, [1.0 + i for i in range(len(x))], seed=0)


def test_a_fit_survives_json() -> None:
    fit = fit_quantity("y", "x", [1, 2, 3, 4, 5], [2, 4, 7, 8, 9], seed=0)
    assert Fit.from_json_dict(json.loads(json.dumps(fit.to_json_dict()))) == fit
    with pytest.raises(StoreError, match="calibrate again"):
        Fit.from_json_dict({"quantity": "y"})
