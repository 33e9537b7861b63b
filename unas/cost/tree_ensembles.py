# SPDX-License-Identifier: Apache-2.0
"""Gradient-boosted trees, fitted by scikit-learn, kept and evaluated as plain arrays.

A search predicts tens of thousands of networks of some twenty operators: walking all trees at once
in NumPy takes a tenth of a millisecond, scikit-learn's own ``predict`` several. And arrays can be
stored as text, where a pickle could run code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from unas.errors import StoreError

Vector = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BoostingParams:
    """Parameters of gradient boosting; the defaults are for hundreds of points.

    Attributes:
        trees: Number of trees.
        depth: Largest depth of a tree.
        rate: Learning rate: share of each tree's correction that is taken.
        share: Share of the points that each tree is fitted to.
        leaf: Least number of points in a leaf.
    """

    trees: int = 80
    depth: int = 3
    rate: float = 0.12
    share: float = 0.7
    leaf: int = 5


@dataclass(frozen=True, slots=True)
class TreeEnsemble:
    """A sum of regression trees. Nodes of all trees lie in one table; a leaf is its own child.

    Attributes:
        start: Constant before all trees.
        depth: Steps from a root to the deepest leaf.
        roots: Node of each tree's root, shape (trees,).
        feature: Index of the feature a node asks for, shape (nodes,).
        threshold: At most this goes left, shape (nodes,).
        left: Node, shape (nodes,).
        right: Node, shape (nodes,).
        value: What a leaf adds, shape (nodes,).
    """

    start: float
    depth: int
    roots: Integers
    feature: Integers
    threshold: Vector
    left: Integers
    right: Integers
    value: Vector

    def predict(self, x: Vector) -> Vector:
        """Sums for rows of x, shape (n, features), as shape (n,)."""
        return StackedEnsembles((self,)).predict(x, np.zeros(len(x), np.int64))

    @classmethod
    def zero(cls) -> TreeEnsemble:
        """An ensemble that predicts 0: a single leaf."""
        zero, one = np.zeros(1, np.int64), np.zeros(1)
        return cls(0.0, 0, zero, zero, one, zero, zero, one)

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        arrays = ("roots", "feature", "threshold", "left", "right", "value")
        return {"start": self.start, "depth": self.depth} | {
            name: getattr(self, name).tolist() for name in arrays
        }

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> TreeEnsemble:
        """From ``to_json_dict``'s result.

        Raises:
            StoreError: Something is missing, of the wrong kind, or points outside of its table.
        """
        try:
            trees = cls(
                start=float(data["start"]),
                depth=int(data["depth"]),
                roots=np.asarray(data["roots"], np.int64),
                feature=np.asarray(data["feature"], np.int64),
                threshold=np.asarray(data["threshold"], np.float64),
                left=np.asarray(data["left"], np.int64),
                right=np.asarray(data["right"], np.int64),
                value=np.asarray(data["value"], np.float64),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"stored trees are not readable: {error}; calibrate again") from error
        nodes = len(trees.feature)
        tables = (trees.threshold, trees.left, trees.right, trees.value)
        targets = np.concatenate([trees.roots, trees.left, trees.right])
        if any(len(table) != nodes for table in tables) or not (
            ((targets >= 0) & (targets < nodes)).all() and (trees.feature >= 0).all()
        ):
            raise StoreError("stored trees do not fit together; calibrate again")
        return trees


class StackedEnsembles:
    """Several tree ensembles in one table; each row of features is predicted by one of them."""

    def __init__(self, ensembles: Sequence[TreeEnsemble]) -> None:
        starts = np.cumsum([0, *(len(one.feature) for one in ensembles)])
        self._start = np.array([one.start for one in ensembles])
        self._depth = max(one.depth for one in ensembles)
        trees = max(len(one.roots) for one in ensembles)
        nodes = int(starts[-1])  # one more: a leaf of 0, for ensembles of fewer trees
        self._roots = np.full((len(ensembles), trees), nodes)
        for index, (one, start) in enumerate(zip(ensembles, starts, strict=False)):
            self._roots[index, : len(one.roots)] = one.roots + start
        self._feature = np.concatenate([*(one.feature for one in ensembles), [0]])
        self._threshold = np.concatenate([*(one.threshold for one in ensembles), [0.0]])
        self._value = np.concatenate([*(one.value for one in ensembles), [0.0]])
        shifted = zip(ensembles, starts, strict=False)
        children = [
            np.stack([one.right + start, one.left + start], axis=1) for one, start in shifted
        ]
        self._next = np.concatenate([*children, [[nodes, nodes]]])

    def predict(self, x: Vector, which: Integers) -> Vector:
        """Sums for rows of x, shape (n, features), each by the ensemble of index ``which``."""
        at = self._roots[which]
        rows = np.arange(len(x))[:, None]
        for _ in range(self._depth):
            goes_left = x[rows, self._feature[at]] <= self._threshold[at]
            at = self._next[at, goes_left.astype(np.int64)]
        total: Vector = self._start[which] + self._value[at].sum(axis=1)
        return total


def fit_ensemble(x: Vector, y: Vector, params: BoostingParams, seed: int) -> TreeEnsemble:
    """Boost trees on squared error.

    Args:
        x: Shape (n, features).
        y: Shape (n,).
        params: Of the boosting.
        seed: Draws the points of each tree.
    """
    from sklearn.ensemble import GradientBoostingRegressor

    fitted = GradientBoostingRegressor(
        n_estimators=params.trees,
        max_depth=params.depth,
        learning_rate=params.rate,
        subsample=params.share,
        min_samples_leaf=params.leaf,
        max_features=0.5,
        random_state=seed,
    ).fit(x, y)
    return _stacked([one.tree_ for (one,) in fitted.estimators_], params, float(y.mean()))


def _stacked(trees: list[Any], params: BoostingParams, start: float) -> TreeEnsemble:
    sizes = [tree.node_count for tree in trees]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    feature, threshold, left, right, value = [], [], [], [], []
    for root, tree in zip(roots, trees, strict=True):
        leaf = tree.children_left < 0
        itself = np.arange(tree.node_count)
        feature.append(np.where(leaf, 0, tree.feature))
        # scikit-learn compares in single precision; so does what is stored.
        threshold.append(np.where(leaf, 0.0, tree.threshold))
        left.append(root + np.where(leaf, itself, tree.children_left))
        right.append(root + np.where(leaf, itself, tree.children_right))
        value.append(np.where(leaf, params.rate * tree.value[:, 0, 0], 0.0))
    joined = [np.concatenate(part) for part in (feature, threshold, left, right, value)]
    return TreeEnsemble(start, params.depth, roots, *joined)
