# SPDX-License-Identifier: Apache-2.0
"""What each cost term weighs: least squares of the relative error, bounded on both sides."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import lsq_linear, nnls

Vector = npt.NDArray[np.float64]
_ROUNDS = 8
# Beyond this relative error a point counts less: one odd layer must not bend all others.
_OUTLIER = 0.05
# See most_cycles.
_CALL_MOST, _ROW_MOST, _LINE_MOST, _ELEMENT_MOST = 1e6, 280.0, 40.0, 70.0
_ROWS = frozenset({"row", "pixel", "block", "pass", "remainder", "alone", "patch", "unit", "units"})


def most_cycles(term: str) -> float:
    """Upper bound of a term's weight, in units of the mean cost per byte and product.

    What only few points show, they show together with something else: without a bound the fit may
    give all to the wrong one, and go wild where that one grows.
    """
    words = term.replace(",", "").split()
    if "call" in words:
        return _CALL_MOST
    if "line" in words:
        return _LINE_MOST
    return _ROW_MOST if _ROWS.intersection(words) else _ELEMENT_MOST


def bounded_weights(terms: Vector, cycles: Vector, most: Vector) -> tuple[float, ...]:
    """Fit ``terms @ weights`` to cycles.

    Iteratively reweighted least squares with Huber's weights, on the relative error.

    Args:
        terms: Shape (points, terms), none below zero.
        cycles: Shape (points,), above zero.
        most: Upper bounds of the weights, shape (terms,); the lower one is zero.
    """
    relative = terms / cycles[:, None]
    seen = relative.max(axis=0) > 0
    scale = relative.max(axis=0)[seen]
    rows, most = relative[:, seen] / scale, most[seen] * scale
    trust = np.ones(len(cycles))
    weights = np.zeros(int(seen.sum()))
    for _ in range(_ROUNDS):
        weights = _bounded(rows * trust[:, None], trust, most)
        error = np.abs(rows @ weights - 1.0)
        trust = np.sqrt(1.0 / np.maximum(1.0, error / _OUTLIER))
    found = np.zeros(len(seen))
    found[seen] = weights / scale
    return tuple(float(weight) for weight in found)


def _bounded(rows: Vector, found: Vector, most: Vector) -> Vector:
    """Least squares with weights from 0 to ``most``; what seldom binds is tried without first."""
    weights: Vector = nnls(rows, found)[0]
    if (weights > most).any():
        weights = lsq_linear(rows, found, (0.0, most)).x
    return weights
