# SPDX-License-Identifier: Apache-2.0
"""A straight line through measurements: the paper's proxy, latency = a * MACs + b."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unas.errors import StoreError

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """``y = slope * x + intercept``, by ordinary least squares."""

    slope: float
    intercept: float

    def predict(self, x: Vector) -> Vector:
        """Values at x, same shape."""
        return self.slope * x + self.intercept


def fit_line(x: Vector, y: Vector) -> Line:
    """Ordinary least squares.

    Args:
        x: Shape (n,), at least two different values.
        y: Shape (n,).

    Raises:
        StoreError: Fewer than two different x.
    """
    if len(np.unique(x)) < 2:
        raise StoreError(
            f"a line needs two different points, here are {len(np.unique(x))}; measure more"
        )
    centred = x - x.mean()
    slope = float(centred @ (y - y.mean()) / (centred @ centred))
    return Line(slope, float(y.mean() - slope * x.mean()))


def cross_validated(x: Vector, y: Vector, *, folds: int, seed: int) -> Vector:
    """For each point the prediction of a line fitted without its fold; folds are drawn by seed.

    Raises:
        StoreError: Too few points.
    """
    folds = min(folds, len(x))
    if folds < 2 or len(x) < 4:
        raise StoreError(
            f"cross-validation needs at least 4 points, here are {len(x)}; measure more"
        )
    order = np.random.default_rng(seed).permutation(len(x))
    predicted = np.empty(len(x))
    for held_out in np.array_split(order, folds):
        train = np.setdiff1d(order, held_out)
        predicted[held_out] = fit_line(x[train], y[train]).predict(x[held_out])
    return predicted
