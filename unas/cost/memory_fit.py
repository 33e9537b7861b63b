# SPDX-License-Identifier: Apache-2.0
"""Bytes as a sum of counted terms: fitted robustly, evaluated on networks that were held out.

Least absolute *relative* deviations with coefficients that are not negative: where one description
is exact for nearly all networks the fit is exact too, and a few that differ do not bend it. (P.
Bloomfield and W. Steiger, "Least Absolute Deviations", 1983; solved as a linear programme.)
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unas.errors import StoreError
from unas.record import Prediction

Vector = NDArray[np.float64]
FOLDS = 10
# With fewer, the held-out error says nothing of other networks.
MIN_NETWORKS = 8


@dataclass(frozen=True, slots=True)
class ByteQuality:
    """Predictions for held-out networks against actual values.

    Attributes:
        networks: Number of networks.
        within_3_percent: Share predicted within 3 % of the actual value, in percent.
        mape_percent: Mean of |predicted - actual| / actual, in percent.
        worst_under_percent: Largest error below the actual value, in percent.
        worst_over_percent: Largest error above it, in percent.
    """

    networks: int
    within_3_percent: float
    mape_percent: float
    worst_under_percent: float
    worst_over_percent: float


def byte_quality(predicted: Vector, actual: Vector) -> ByteQuality:
    """Compare predictions with actual values; both of shape (n,), actual values above zero."""
    error = (predicted - actual) / actual * 100.0
    return ByteQuality(
        networks=len(actual),
        within_3_percent=float((np.abs(error) <= 3.0).mean() * 100.0),
        mape_percent=float(np.abs(error).mean()),
        worst_under_percent=max(0.0, float(-error.min())),
        worst_over_percent=max(0.0, float(error.max())),
    )


@dataclass(frozen=True, slots=True)
class ByteFit:
    """``bytes = sum of coefficient x term``, with an interval.

    Attributes:
        coefficients: Bytes by one of each term.
        lower_ratio: Lower end of the interval over the value.
        upper_ratio: Upper end of the interval over the value.
        nominal: Share of networks that the interval is to hold.
        quality: On networks that were held out.
    """

    coefficients: tuple[float, ...]
    lower_ratio: float
    upper_ratio: float
    nominal: float
    quality: ByteQuality

    def predict(self, terms: Sequence[float]) -> Prediction:
        """Value and interval, in whole bytes.

        Args:
            terms: One number a coefficient.
        """
        pairs = zip(self.coefficients, terms, strict=True)
        value = float(round(math.fsum(coefficient * term for coefficient, term in pairs)))
        lower, upper = value * self.lower_ratio, value * self.upper_ratio
        return Prediction(value, float(math.floor(lower)), float(math.ceil(upper)))

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self) | {"coefficients": list(self.coefficients)}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any], *, terms: int) -> ByteFit:
        """From ``to_json_dict``'s result.

        Args:
            data: JSON types.
            terms: How many coefficients there must be.

        Raises:
            StoreError: Fields are missing, unknown or of the wrong kind.
        """
        try:
            values = dict(data)
            coefficients = tuple(float(c) for c in values.pop("coefficients"))
            fields = ByteQuality(**values.pop("quality"))
            fit = cls(coefficients=coefficients, quality=fields, **values)
            numbers = (*coefficients, fit.lower_ratio, fit.upper_ratio, fit.nominal)
            numbers += tuple(asdict(fields).values())
            if not all(type(n) in (int, float) and math.isfinite(n) for n in numbers):
                raise ValueError("a number is none, or not finite")
            if len(coefficients) != terms:
                raise ValueError(f"{len(coefficients)} coefficients stand for {terms} terms")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StoreError(f"a stored fit is not readable: {error}; calibrate again") from error
        return fit


def fit_bytes(
    terms: NDArray[np.float64],
    actual: Vector,
    networks: Sequence[Hashable],
    *,
    nominal: float,
    seed: int,
) -> ByteFit:
    """Fit, and cross-validate over networks.

    Args:
        terms: Shape (n, terms), not negative.
        actual: Shape (n,), bytes, above zero.
        networks: Identity of the network behind each row: rows of one network are held out
            together.
        nominal: Share of networks that the interval is to hold.
        seed: Draws the folds of the cross-validation.

    Raises:
        StoreError: Too few different networks, or sizes that are not above zero.
    """
    numbers = _numbered(networks)
    count = int(numbers.max(initial=-1)) + 1
    if count < MIN_NETWORKS or actual.min(initial=1.0) <= 0:
        raise StoreError(
            f"{count} different networks with positive sizes are too few to fit memory, at least "
            f"{MIN_NETWORKS} are needed; calibrate with more"
        )
    folds = np.random.default_rng(seed).permutation(count)[numbers] % min(FOLDS, count)
    held_out = np.empty_like(actual)
    for fold in np.unique(folds):
        out = folds == fold
        held_out[out] = np.rint(terms[out] @ _least_deviations(terms[~out], actual[~out]))
    coefficients = _least_deviations(terms, actual)
    lower, upper = _conformal(actual / np.maximum(held_out, 1.0), nominal)
    values = tuple(max(float(c), 0.0) for c in coefficients)
    return ByteFit(values, lower, upper, nominal, byte_quality(held_out, actual))


def _numbered(networks: Sequence[Hashable]) -> NDArray[np.int64]:
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(n, len(known)) for n in networks], np.int64)


def _conformal(ratios: Vector, nominal: float) -> tuple[float, float]:
    """The interval of actual / predicted; source: V. Vovk et al., "Cross-conformal predictors"."""
    ordered, tail = np.sort(ratios), (1.0 - nominal) / 2.0
    count = len(ordered)
    rank = min(math.ceil((count + 1) * (1.0 - tail)), count)
    # A predicted value lies in its own interval, however the held-out ones lie.
    return min(float(ordered[count - rank]), 1.0), max(float(ordered[rank - 1]), 1.0)


def _least_deviations(terms: NDArray[np.float64], actual: Vector) -> Vector:
    """Minimise sum |terms c - actual| / actual over c >= 0."""
    from scipy.optimize import linprog  # half a second to import, and only fitting needs it
    from scipy.sparse import csr_array, eye_array, hstack

    relative = terms / actual[:, None]
    scale = np.maximum(relative.max(axis=0), 1e-12)
    rows, columns = relative.shape
    unit = eye_array(rows, format="csr")
    solved = linprog(
        np.concatenate([np.zeros(columns), np.ones(2 * rows)]),
        A_eq=hstack([csr_array(relative / scale), unit, -unit], format="csr"),
        b_eq=np.ones(rows),
        method="highs",
    )
    if solved.x is None:
        raise StoreError(f"memory cannot be fitted: {solved.message}; calibrate with more networks")
    return np.asarray(solved.x[:columns] / scale, np.float64)
