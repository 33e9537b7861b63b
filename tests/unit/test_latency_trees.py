# SPDX-License-Identifier: Apache-2.0
"""Trees as arrays against the library that grew them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor

from unas.cost.tree_ensembles import BoostingParams, StackedEnsembles, TreeEnsemble, fit_ensemble
from unas.errors import StoreError


def _data(seed: int, points: int = 80) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(points, 6))
    return x, np.sin(x[:, 0]) + (x[:, 1] > 0.3) * x[:, 2]


@pytest.mark.parametrize(
    "growth",
    [BoostingParams(), BoostingParams(trees=7, depth=1), BoostingParams(trees=30, depth=5)],
)
def test_they_say_what_scikit_learn_says(growth: BoostingParams) -> None:
    x, y = _data(1)
    theirs = GradientBoostingRegressor(
        n_estimators=growth.trees,
        max_depth=growth.depth,
        learning_rate=growth.rate,
        subsample=growth.share,
        min_samples_leaf=growth.leaf,
        max_features=0.5,
        random_state=3,
    ).fit(x, y)
    new = np.random.default_rng(2).normal(size=(200, 6)).astype(np.float32).astype(np.float64)
    assert np.allclose(
        fit_ensemble(x, y, growth, 3).predict(new), theirs.predict(new), rtol=0, atol=1e-12
    )


def test_stacked_ensembles_predict_each_row_by_its_own_trees() -> None:
    sums = [
        TreeEnsemble.zero(),
        *(fit_ensemble(*_data(seed), BoostingParams(trees=5 * seed), 0) for seed in (1, 2)),
    ]
    x = np.random.default_rng(5).normal(size=(40, 6))
    which = np.arange(40) % 3
    found = StackedEnsembles(sums).predict(x, which)
    expected = [sums[number].predict(x[i : i + 1])[0] for i, number in enumerate(which)]
    assert np.allclose(found, expected, rtol=0, atol=1e-12)
    assert not found[which == 0].any()


def test_text_and_back_is_the_same() -> None:
    trees = fit_ensemble(*_data(4), BoostingParams(trees=9), 0)
    again = TreeEnsemble.from_json_dict(json.loads(json.dumps(trees.to_json_dict())))
    x = np.random.default_rng(6).normal(size=(50, 6))
    assert again.predict(x).tolist() == trees.predict(x).tolist()


@pytest.mark.parametrize(
    "damage",
    [
        {"left": [10**6]},
        {"roots": [-1]},
        {"value": [0.0]},
        {"feature": None},
        {"threshold": ["x"]},
        {"feature": [-3] * 9},
    ],
)
def test_damaged_trees_are_refused(damage: dict[str, Any]) -> None:
    data = fit_ensemble(*_data(4), BoostingParams(trees=3, depth=1), 0).to_json_dict()
    with pytest.raises(StoreError, match="calibrate again"):
        TreeEnsemble.from_json_dict(data | damage)
