# SPDX-License-Identifier: Apache-2.0
"""The paper's proxy as a latency model, the baseline: latency = a * MACs + b.

Straight lines by ordinary least squares, and their quality in sample and cross-validated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from unas.cost.metrics import RegressionMetrics, regression_metrics
from unas.cost.operators import Call
from unas.cost.types import Sample
from unas.errors import StoreError

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MacLine:
    """cycles = slope * MACs + intercept, MACs counted as in the paper."""

    line: Line

    @classmethod
    def fit(cls, samples: Sequence[Sample]) -> MacLine:
        """Ordinary least squares over whole networks, as in the paper's experiment.

        Raises:
            StoreError: Fewer than two different counts of MACs.
        """
        macs = np.array([sample.paper_macs for sample in samples], dtype=np.float64)
        return cls(fit_line(macs, np.array([sample.cycles for sample in samples])))

    def operators(self, calls: Sequence[Call]) -> Vector:
        """Each call's share without the intercept, shape (n,)."""
        return self.line.slope * np.array([float(call.kernel.paper_macs) for call in calls])

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {"slope": self.line.slope, "intercept": self.line.intercept}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> MacLine:
        """From ``to_json_dict``'s result.

        Raises:
            StoreError: Something is missing.
        """
        try:
            return cls(Line(float(data["slope"]), float(data["intercept"])))
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"a stored line is not readable: {error}; calibrate again") from error


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


FOLDS = 10


@dataclass(frozen=True, slots=True)
class Fit:
    """A line with its errors, in sample and cross-validated.

    Attributes:
        quantity: Name of what is predicted, with its unit.
        feature: Name of what it is predicted from, with its unit.
        line: The line over all points.
        in_sample: Errors on the points it was fitted on.
        cross_validated: Errors on points that were held out.
    """

    quantity: str
    feature: str
    line: Line
    in_sample: RegressionMetrics
    cross_validated: RegressionMetrics

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Fit:
        """From ``to_json_dict``'s result.

        Raises:
            StoreError: Fields are missing, unknown or of the wrong kind.
        """
        try:
            return cls(
                data["quantity"],
                data["feature"],
                Line(**data["line"]),
                RegressionMetrics(**data["in_sample"]),
                RegressionMetrics(**data["cross_validated"]),
            )
        except (KeyError, TypeError) as error:
            raise StoreError(f"a stored fit is not readable: {error}; calibrate again") from error


def fit_quantity(
    quantity: str, feature: str, x: Sequence[float], y: Sequence[float], *, seed: int
) -> Fit:
    """Fit ``quantity = slope * feature + intercept`` and cross-validate it.

    Args:
        quantity: Name of y with its unit.
        feature: Name of x with its unit.
        x: Shape (n,).
        y: Shape (n,), above zero.
        seed: Draws the folds of the cross-validation.

    Raises:
        StoreError: Fewer than four points, or all at one x.
    """
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    held_out = cross_validated(xs, ys, folds=FOLDS, seed=seed)
    line = fit_line(xs, ys)
    return Fit(
        quantity,
        feature,
        line,
        regression_metrics(line.predict(xs), ys),
        regression_metrics(held_out, ys),
    )
