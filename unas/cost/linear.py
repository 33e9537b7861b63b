# SPDX-License-Identifier: Apache-2.0
"""Cycles as a weighted sum of cost terms: per call, per pixel, per product, per missed line.

The weights are fitted by least squares of the relative error, with lower and upper bounds.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import lsq_linear, nnls

from unas.cost.operators import Call
from unas.cost.terms import cost_terms, family, term_names
from unas.cost.types import KernelProfile, Sample
from unas.errors import StoreError

Vector = npt.NDArray[np.float64]
Weights = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class OperatorLinear:
    """A sum of cost terms for every family of operators.

    Attributes:
        profile: Of board and runtime.
        weights: Cycles per unit of each term, by family; none below zero.
        fallback: Cycles per byte moved and product, for families that were never seen.
    """

    profile: KernelProfile
    weights: Mapping[str, Weights]
    fallback: float

    @classmethod
    def fit(cls, samples: Sequence[Sample], profile: KernelProfile) -> OperatorLinear:
        """Fit the weights to operators' cycles, family by family.

        Where no sample has the cycles of its operators, all families are fitted at once to the
        cycles of whole networks; that takes many more samples.

        Args:
            samples: Networks and kernels.
            profile: Of board and runtime.

        Raises:
            StoreError: There is no sample.
        """
        rows: dict[str, list[tuple[Call, float]]] = {}
        for call, mean in operator_points(samples):
            rows.setdefault(family(call), []).append((call, mean))
        if not rows:
            return cls._fit_wholes(samples, profile)
        weights = {name: _fit_family(name, rows[name], profile) for name in sorted(rows)}
        points = [point for group in rows.values() for point in group]
        work = sum(_work(call) for call, _ in points)
        return cls(profile, weights, sum(cycles for _, cycles in points) / work)

    @classmethod
    def _fit_wholes(cls, samples: Sequence[Sample], profile: KernelProfile) -> OperatorLinear:
        if not samples:
            raise StoreError("nothing to fit a latency model on; measure or import something")
        names = sorted({family(call) for sample in samples for call in sample.calls})
        first = {}
        bounds: list[float] = []
        cycles = np.array([sample.cycles for sample in samples])
        work = sum(_work(call) for sample in samples for call in sample.calls)
        fallback = float(cycles.sum()) / work
        for name in names:
            first[name] = len(bounds)
            bounds += [fallback * max_cycles(term) for term in term_names(name, profile)]
        terms = np.zeros((len(samples), len(bounds)))
        for row, sample in zip(terms, samples, strict=True):
            for call in sample.calls:
                counts = cost_terms(call, profile)
                row[first[family(call)] : first[family(call)] + len(counts)] += counts
        fitted = bounded_weights(terms, cycles, np.array(bounds))
        weights = {
            name: fitted[first[name] : first[name] + len(term_names(name, profile))]
            for name in names
        }
        return cls(profile, weights, fallback)

    def operators(self, calls: Sequence[Call]) -> Vector:
        """Cycles of each call, shape (n,)."""
        return np.array([self.one(call) for call in calls])

    def one(self, call: Call) -> float:
        """Cycles of a call."""
        weights = self.weights.get(family(call))
        if weights is None:
            return self.fallback * _work(call)
        terms = cost_terms(call, self.profile)
        return max(sum(a * b for a, b in zip(weights, terms, strict=True)), 1.0)

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types, with each weight under the name of its term."""
        named = {
            name: dict(zip(term_names(name, self.profile), weights, strict=True))
            for name, weights in self.weights.items()
        }
        return {"weights": named, "fallback": self.fallback}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any], profile: KernelProfile) -> OperatorLinear:
        """From ``to_json_dict``'s result.

        Raises:
            StoreError: Something is missing, or the terms are not those of this version.
        """
        try:
            weights = {}
            for name, named in data["weights"].items():
                if tuple(named) != term_names(name, profile):
                    raise StoreError(
                        f"the stored cost terms of {name} are not those of this version; "
                        "calibrate again"
                    )
                weights[name] = tuple(float(weight) for weight in named.values())
            return cls(profile, weights, float(data["fallback"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(f"stored cost terms are not readable: {error}") from error


def operator_points(samples: Sequence[Sample]) -> list[tuple[Call, float]]:
    """Every different call whose cycles are known, with their mean.

    Equal kernels in equal places are one point, however many networks have them: what is drawn
    often would otherwise weigh more than what is rare.
    """
    known: dict[Call, list[float]] = {}
    for sample in samples:
        for call, cycles in zip(sample.calls, sample.operator_cycles, strict=False):
            if cycles > 0:
                known.setdefault(call, []).append(cycles)
    return [(call, sum(cycles) / len(cycles)) for call, cycles in known.items()]


@functools.lru_cache(maxsize=1 << 12)
def _work(call: Call) -> float:
    return call.kernel.inputs + call.kernel.outputs + call.kernel.macs


def _fit_family(name: str, points: Sequence[tuple[Call, float]], profile: KernelProfile) -> Weights:
    terms = np.array([cost_terms(call, profile) for call, _ in points])
    cycles = np.array([mean for _, mean in points])
    rate = float(cycles.sum()) / sum(_work(call) for call, _ in points)
    bounds = np.array([rate * max_cycles(term) for term in term_names(name, profile)])
    return bounded_weights(terms, cycles, bounds)


_ROUNDS = 8
# Beyond this relative error a point counts less: one odd layer must not bend all others.
_OUTLIER = 0.05
# See most_cycles.
_MAX_CALL, _MAX_ROW, _MAX_LINE, _MAX_ELEMENT = 1e6, 280.0, 40.0, 70.0
_ROWS = frozenset({"row", "pixel", "block", "pass", "remainder", "alone", "patch", "unit", "units"})


def max_cycles(term: str) -> float:
    """Upper bound of a term's weight, in units of the mean cost per byte and product.

    A term that only few points have comes together with another one in all of them: without a bound
    the fit may give all cycles to the wrong term, and extrapolate wildly where that term grows.
    """
    words = term.replace(",", "").split()
    if "call" in words:
        return _MAX_CALL
    if "line" in words:
        return _MAX_LINE
    return _MAX_ROW if _ROWS.intersection(words) else _MAX_ELEMENT


def bounded_weights(terms: Vector, cycles: Vector, bounds: Vector) -> tuple[float, ...]:
    """Fit ``terms @ weights`` to cycles.

    Iteratively reweighted least squares with Huber's weights, on the relative error.

    Args:
        terms: Shape (points, terms), none below zero.
        cycles: Shape (points,), above zero.
        bounds: Upper bounds of the weights, shape (terms,); the lower one is zero.
    """
    relative = terms / cycles[:, None]
    seen = relative.max(axis=0) > 0
    scale = relative.max(axis=0)[seen]
    rows, bounds = relative[:, seen] / scale, bounds[seen] * scale
    trust = np.ones(len(cycles))
    weights = np.zeros(int(seen.sum()))
    for _ in range(_ROUNDS):
        weights = _bounded(rows * trust[:, None], trust, bounds)
        error = np.abs(rows @ weights - 1.0)
        trust = np.sqrt(1.0 / np.maximum(1.0, error / _OUTLIER))
    fitted = np.zeros(len(seen))
    fitted[seen] = weights / scale
    return tuple(float(weight) for weight in fitted)


def _bounded(rows: Vector, target: Vector, bounds: Vector) -> Vector:
    """Least squares with weights from 0 to ``bounds``, which seldom bind: tried without first."""
    weights: Vector = nnls(rows, target)[0]
    if (weights > bounds).any():
        weights = lsq_linear(rows, target, (0.0, bounds)).x
    return weights
