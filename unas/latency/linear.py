# SPDX-License-Identifier: Apache-2.0
"""Cycles as a weighted sum of cost terms: per call, per pixel, per product, per missed line."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import lsq_linear, nnls

from unas.errors import StoreError
from unas.latency.kernel import Call
from unas.latency.sample import Sample
from unas.latency.terms import cost_terms, family, term_names
from unas.latency.traits import Traits

Vector = npt.NDArray[np.float64]
_ROUNDS = 8
# Beyond this relative error a point counts less: one odd layer must not bend all others.
_OUTLIER = 0.05
# See _most.
_CALL_MOST, _ROW_MOST, _LINE_MOST, _ELEMENT_MOST = 1e6, 280.0, 40.0, 70.0
_ROWS = frozenset({"row", "pixel", "block", "pass", "remainder", "alone", "patch", "unit", "units"})
Weights = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class OperatorLinear:
    """A sum of cost terms for every family of operators.

    Attributes:
        traits: Of board and runtime.
        weights: Cycles per unit of each term, by family; none below zero.
        fallback: Cycles per byte moved and product, for families that were never seen.
    """

    traits: Traits
    weights: Mapping[str, Weights]
    fallback: float

    @classmethod
    def fit(cls, samples: Sequence[Sample], traits: Traits) -> OperatorLinear:
        """Fit the weights to operators' cycles, family by family.

        Least squares of the relative error with bounded weights, none below zero, reweighted so
        that outliers count less (iteratively reweighted least squares with Huber's weights).

        Args:
            samples: With cycles per operator.
            traits: Of board and runtime.

        Raises:
            StoreError: No sample has cycles per operator.
        """
        rows: dict[str, list[tuple[Call, float]]] = {}
        work = cycles = 0.0
        for call, found in operator_points(samples):
            rows.setdefault(family(call), []).append((call, found))
            work, cycles = work + _work(call), cycles + found
        if not rows:
            raise StoreError(
                "no sample tells the cycles of its operators; import or measure some that do"
            )
        weights = {name: _fit_family(name, rows[name], traits) for name in sorted(rows)}
        return cls(traits, weights, cycles / work)

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
    def from_json_dict(cls, data: Mapping[str, Any], traits: Traits) -> OperatorLinear:
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
    """Every call whose cycles are known."""
    return [
        (call, cycles)
        for sample in samples
        for call, cycles in zip(sample.calls, sample.operator_cycles, strict=False)
        if cycles > 0
    ]


@functools.lru_cache(maxsize=1 << 12)
def _work(call: Call) -> float:
    return call.kernel.inputs + call.kernel.outputs + call.kernel.macs


def _fit_family(name: str, points: Sequence[tuple[Call, float]], traits: Traits) -> Weights:
    terms = np.array([cost_terms(call, traits) for call, _ in points])
    cycles = np.array([found for _, found in points])
    rate = float(cycles.sum()) / sum(_work(call) for call, _ in points)
    most = np.array([rate * _most(term) for term in term_names(name, traits)])
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


def _most(term: str) -> float:
    """Upper bound of a term's weight, in units of the family's mean cost per byte and product.

    What only few points show, they show together with something else: without a bound the fit may
    give all to the wrong one, and go wild where that one grows.
    """
    words = term.replace(",", "").split()
    if "call" in words:
        return _CALL_MOST
    if words[-1] == "line" or "line" in words:
        return _LINE_MOST
    return _ROW_MOST if _ROWS.intersection(words) else _ELEMENT_MOST
