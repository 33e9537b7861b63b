# SPDX-License-Identifier: Apache-2.0
"""Cycles as a weighted sum of cost terms: per call, per pixel, per product, per missed line.

What each cost term weighs: least squares of the relative error, bounded on both sides.
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
        traits: Of board and runtime.
        weights: Cycles per unit of each term, by family; none below zero.
        fallback: Cycles per byte moved and product, for families that were never seen.
    """

    traits: KernelProfile
    weights: Mapping[str, Weights]
    fallback: float

    @classmethod
    def fit(cls, samples: Sequence[Sample], traits: KernelProfile) -> OperatorLinear:
        """Fit the weights to operators' cycles, family by family.

        Where no sample tells the cycles of its operators, all families are fitted at once to the
        cycles of whole networks; that takes many more of them.

        Args:
            samples: Networks and kernels.
            traits: Of board and runtime.

        Raises:
            StoreError: There is no sample.
        """
        rows: dict[str, list[tuple[Call, float]]] = {}
        for call, found in operator_points(samples):
            rows.setdefault(family(call), []).append((call, found))
        if not rows:
            return cls._fit_wholes(samples, traits)
        weights = {name: _fit_family(name, rows[name], traits) for name in sorted(rows)}
        points = [point for group in rows.values() for point in group]
        work = sum(_work(call) for call, _ in points)
        return cls(traits, weights, sum(found for _, found in points) / work)

    @classmethod
    def _fit_wholes(cls, samples: Sequence[Sample], traits: KernelProfile) -> OperatorLinear:
        if not samples:
            raise StoreError("nothing to fit a latency model on; measure or import something")
        names = sorted({family(call) for sample in samples for call in sample.calls})
        first = {}
        most: list[float] = []
        cycles = np.array([sample.cycles for sample in samples])
        work = sum(_work(call) for sample in samples for call in sample.calls)
        fallback = float(cycles.sum()) / work
        for name in names:
            first[name] = len(most)
            most += [fallback * most_cycles(term) for term in term_names(name, traits)]
        terms = np.zeros((len(samples), len(most)))
        for row, sample in zip(terms, samples, strict=True):
            for call in sample.calls:
                counts = cost_terms(call, traits)
                row[first[family(call)] : first[family(call)] + len(counts)] += counts
        found = bounded_weights(terms, cycles, np.array(most))
        weights = {
            name: found[first[name] : first[name] + len(term_names(name, traits))] for name in names
        }
        return cls(traits, weights, fallback)

    def operators(self, calls: Sequence[Call]) -> Vector:
        """Cycles of each call, shape (n,)."""
        return np.array([self.one(call) for call in calls])

    def one(self, call: Call) -> float:
        """Cycles of a call."""
        weights = self.weights.get(family(call))
        if weights is None:
            return self.fallback * _work(call)
        terms = cost_terms(call, self.traits)
        return max(sum(a * b for a, b in zip(weights, terms, strict=True)), 1.0)

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types; the terms are named, so that a reader sees what a cycle is paid for."""
        named = {
            name: dict(zip(term_names(name, self.traits), weights, strict=True))
            for name, weights in self.weights.items()
        }
        return {"weights": named, "fallback": self.fallback}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any], traits: KernelProfile) -> OperatorLinear:
        """From ``to_json_dict``'s result.

        Raises:
            StoreError: Something is missing, or the terms are not those of this version.
        """
        try:
            weights = {}
            for name, named in data["weights"].items():
                if tuple(named) != term_names(name, traits):
                    raise StoreError(
                        f"the stored cost terms of {name} are not those of this version; "
                        "calibrate again"
                    )
                weights[name] = tuple(float(weight) for weight in named.values())
            return cls(traits, weights, float(data["fallback"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(f"stored cost terms are not readable: {error}") from error

    def explain(self, call: Call) -> dict[str, float]:
        """Cycles by term, largest first; empty for a family that was never seen."""
        weights = self.weights.get(family(call))
        if weights is None:
            return {}
        names = term_names(family(call), self.traits)
        terms = zip(names, weights, cost_terms(call, self.traits), strict=True)
        shares = {name: weight * count for name, weight, count in terms if weight * count > 0}
        return dict(sorted(shares.items(), key=lambda item: -item[1]))


def operator_points(samples: Sequence[Sample]) -> list[tuple[Call, float]]:
    """Every different call whose cycles are known, with their mean.

    Equal kernels in equal places are one point, however many networks have them: what is drawn
    often would otherwise weigh more than what is rare.
    """
    found: dict[Call, list[float]] = {}
    for sample in samples:
        for call, cycles in zip(sample.calls, sample.operator_cycles, strict=False):
            if cycles > 0:
                found.setdefault(call, []).append(cycles)
    return [(call, sum(cycles) / len(cycles)) for call, cycles in found.items()]


@functools.lru_cache(maxsize=1 << 12)
def _work(call: Call) -> float:
    return call.kernel.inputs + call.kernel.outputs + call.kernel.macs


def _fit_family(name: str, points: Sequence[tuple[Call, float]], traits: KernelProfile) -> Weights:
    terms = np.array([cost_terms(call, traits) for call, _ in points])
    cycles = np.array([found for _, found in points])
    rate = float(cycles.sum()) / sum(_work(call) for call, _ in points)
    most = np.array([rate * most_cycles(term) for term in term_names(name, traits)])
    return bounded_weights(terms, cycles, most)


_WVector = npt.NDArray[np.float64]
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


def bounded_weights(terms: _WVector, cycles: _WVector, most: _WVector) -> tuple[float, ...]:
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


def _bounded(rows: _WVector, found: _WVector, most: _WVector) -> _WVector:
    """Least squares with weights from 0 to ``most``; what seldom binds is tried without first."""
    weights: _WVector = nnls(rows, found)[0]
    if (weights > most).any():
        weights = lsq_linear(rows, found, (0.0, most)).x
    return weights
