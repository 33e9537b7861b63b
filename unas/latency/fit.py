# SPDX-License-Identifier: Apache-2.0
"""A fitted line with its quality; JSON in and out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from unas.errors import StoreError
from unas.latency.line import Line, cross_validated, fit_line
from unas.latency.metrics import FitQuality, quality

FOLDS = 10


@dataclass(frozen=True, slots=True)
class Fit:
    """A line with its quality, in sample and cross-validated.

    Attributes:
        quantity: What is predicted, with its unit.
        feature: From what, with its unit.
        line: The line over all points.
        in_sample: Its quality on the points it was fitted on.
        cross_validated: Quality of predictions for points that were held out.
    """

    quantity: str
    feature: str
    line: Line
    in_sample: FitQuality
    cross_validated: FitQuality

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
                FitQuality(**data["in_sample"]),
                FitQuality(**data["cross_validated"]),
            )
        except (KeyError, TypeError) as error:
            raise StoreError(f"a stored fit is not readable: {error}; calibrate again") from error


def fit_quantity(
    quantity: str, feature: str, x: Sequence[float], y: Sequence[float], *, seed: int
) -> Fit:
    """Fit ``quantity = slope * feature + intercept`` and judge it.

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
    return Fit(quantity, feature, line, quality(line.predict(xs), ys), quality(held_out, ys))
