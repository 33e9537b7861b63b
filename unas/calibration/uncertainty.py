# SPDX-License-Identifier: Apache-2.0
"""Uncertainty of a latency model by operator family, and the measurements that lower it most.

Linear models fitted on bootstrap resamples disagree where there are few measurements: the spread of
their predictions is the uncertainty. A measurement is worth what it takes from the variance of the
predicted latency of random networks, so families count by their share in it
(D. Cohn, Z. Ghahramani, M. Jordan, "Active Learning with Statistical Models", 1996, with an
ensemble in place of the posterior; the update is Potter's square root).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from unas.cost.linear import operator_points
from unas.cost.operators import Call
from unas.cost.terms import cost_terms, family
from unas.cost.types import KernelProfile, Sample
from unas.errors import StoreError

Matrix = npt.NDArray[np.float64]
Vector = npt.NDArray[np.float64]
MEMBERS = 32
# Relative error of a model of this form however much is measured: repeating a kernel helps little.
_NOISE = 0.03
# Reading out and checking a model takes as long as this many cycles.
_COST_OF_ANY = 1e6


@dataclass(frozen=True, slots=True)
class FamilyUncertainty:
    """One family of operators in random networks.

    Attributes:
        family: Name of the family.
        share: Share of the predicted latency, 0 to 1.
        uncertainty: Standard deviation of what the family adds to a network's latency, as a share
            of that latency; root mean square over networks.
    """

    family: str
    share: float
    uncertainty: float


@dataclass(frozen=True, slots=True)
class MeasurementCandidate:
    """A network or single kernel that could be measured next.

    Attributes:
        name: Unique.
        calls: Of the network, or of the single kernel.
        flash_bytes: Flash that it needs in an image.
        is_network: False for a single kernel.
    """

    name: str
    calls: tuple[Call, ...]
    flash_bytes: int
    is_network: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Candidates to measure together.

    Attributes:
        names: The most helpful first.
        variance: Expected decrease of the variance of random networks' relative latency.
        cycles: One run of each, and the handling of each.
    """

    names: tuple[str, ...]
    variance: float
    cycles: float


class Ensemble:
    """Weights of cost terms, fitted on resamples: ``OperatorLinear``'s form without its bounds."""

    def __init__(self, samples: Sequence[Sample], profile: KernelProfile, seed: int) -> None:
        """Fit.

        Args:
            samples: With cycles per operator; whole samples are resampled (Poisson weights).
            profile: Of board and runtime.
            seed: Draws the resamples.

        Raises:
            StoreError: No sample has cycles per operator.
        """
        rng = np.random.default_rng(seed)
        profiled = [sample for sample in samples if sample.operator_cycles]
        if not profiled:
            raise StoreError("no sample has the cycles of its operators; measure some that do")
        self._profile = profile
        drawn = rng.poisson(1.0, (len(profiled), MEMBERS))
        rows: dict[str, list[tuple[tuple[float, ...], float, int]]] = {}
        for number, sample in enumerate(profiled):
            for call, cycles in operator_points([sample]):
                entry = (cost_terms(call, profile), cycles, number)
                rows.setdefault(family(call), []).append(entry)
        self._weights = {name: _fit_members(points, drawn) for name, points in sorted(rows.items())}
        work = sum(_work(call) for sample in profiled for call in sample.calls)
        cycles = sum(sum(sample.operator_cycles) for sample in profiled)
        # A family without measurements may cost half or twice as much per work as the others.
        self._unseen_rate = cycles / work * np.exp2(rng.normal(size=MEMBERS))

    def predict(self, calls: Sequence[Call]) -> Matrix:
        """Cycles, shape (calls, members)."""
        cycles = np.empty((len(calls), MEMBERS))
        groups: dict[str, list[int]] = {}
        for index, call in enumerate(calls):
            groups.setdefault(family(call), []).append(index)
        for name, group in groups.items():
            unknown = np.outer([_work(calls[i]) for i in group], self._unseen_rate)
            weights = self._weights.get(name)
            if weights is None:
                cycles[group] = unknown
            else:
                terms = np.array([cost_terms(calls[i], self._profile) for i in group])
                known = terms @ weights
                cycles[group] = np.where(known > 0.0, known, unknown)
        return cycles


def _fit_members(
    rows: Sequence[tuple[tuple[float, ...], float, int]], drawn: npt.NDArray[np.int64]
) -> Matrix:
    """Non-negative least squares of the relative error, shape (terms, members).

    Zeros where a member's resample has nothing of the family.
    """
    cycles = np.array([point for _, point, _ in rows])
    terms = np.array([entry for entry, _, _ in rows])
    scale = np.maximum(terms.max(axis=0), 1.0)
    relative = terms / scale / cycles[:, None]
    trust = np.sqrt(drawn[[number for _, _, number in rows]])
    fitted = [nnls(relative * column[:, None], column)[0] / scale for column in trust.T]
    return np.array(fitted).T


def _work(call: Call) -> float:
    return call.kernel.inputs + call.kernel.outputs + call.kernel.macs


class Acquisition:
    """Acquisition function: how far measurements lower the variance of random networks' latency."""

    def __init__(self, ensemble: Ensemble, networks: Sequence[Sequence[Call]]) -> None:
        """Set up.

        Args:
            ensemble: Its disagreement is the uncertainty.
            networks: Calls of random networks, whose latency is to be predicted well.
        """
        self._ensemble = ensemble
        rows: dict[str, list[Vector]] = {}
        self._shares: dict[str, float] = {}
        for calls, cycles in _predicted(ensemble, networks):
            total = cycles.mean(axis=1).sum()
            sums: dict[str, Vector] = {}
            for call, predicted in zip(calls, cycles, strict=True):
                sums[family(call)] = sums.get(family(call), 0.0) + predicted / total
            for name, relative in sums.items():
                rows.setdefault(name, []).append(relative - relative.mean())
                share = float(relative.mean()) / len(networks)
                self._shares[name] = self._shares.get(name, 0.0) + share
        scale = 1.0 / (MEMBERS * max(len(networks), 1))
        self._targets = {
            name: np.array(deviations).T @ np.array(deviations) * scale
            for name, deviations in sorted(rows.items())
        }

    def families(self) -> tuple[FamilyUncertainty, ...]:
        """Every family, the most uncertain first."""
        families = [
            FamilyUncertainty(
                name, self._shares[name], math.sqrt(max(float(np.trace(square)), 0.0))
            )
            for name, square in self._targets.items()
        ]
        return tuple(sorted(families, key=lambda one: -one.uncertainty))

    def total(self) -> float:
        """Standard deviation of a network's latency, as a share of it; root mean square."""
        return math.hypot(*(one.uncertainty for one in self.families()))

    def choose(
        self, candidates: Sequence[MeasurementCandidate], capacity_bytes: int, max_count: int
    ) -> Batch:
        """The candidates that together take most variance for their time, as many as fit.

        Args:
            candidates: What could be measured.
            capacity_bytes: Flash for them.
            max_count: Number of them, at most.
        """
        selection = _BatchSelection(self._ensemble, self._targets, candidates)
        chosen: list[int] = []
        while len(chosen) < max_count:
            best = selection.best(capacity_bytes)
            if best is None:
                break
            selection.take(best)
            chosen.append(best)
            capacity_bytes -= candidates[best].flash_bytes
        before = sum(float(np.trace(square)) for square in self._targets.values())
        names = tuple(candidates[index].name for index in chosen)
        return Batch(names, before - selection.variance(self._targets), selection.cost(chosen))


def _predicted(
    ensemble: Ensemble, networks: Sequence[Sequence[Call]]
) -> Iterator[tuple[Sequence[Call], Matrix]]:
    """Calls and the members' predictions, made for all networks at once: much faster."""
    cycles = ensemble.predict([call for calls in networks for call in calls])
    start = 0
    for calls in networks:
        yield calls, cycles[start : start + len(calls)]
        start += len(calls)


class _BatchSelection:
    """Chooses a batch; candidates' calls are rows by family, in units of the expected noise."""

    def __init__(
        self,
        ensemble: Ensemble,
        targets: Mapping[str, Matrix],
        candidates: Sequence[MeasurementCandidate],
    ) -> None:
        rows: dict[str, list[Vector]] = {}
        owners: dict[str, list[int]] = {}
        self._cost = np.zeros(len(candidates))
        self._flash = np.array([one.flash_bytes for one in candidates])
        known = _predicted(ensemble, [one.calls for one in candidates])
        for index, (calls, cycles) in enumerate(known):
            self._cost[index] = cycles.mean(axis=1).sum() + _COST_OF_ANY
            for call, predicted in zip(calls, cycles, strict=True):
                if family(call) in targets:
                    noise = _NOISE * predicted.mean() * math.sqrt(MEMBERS)
                    rows.setdefault(family(call), []).append((predicted - predicted.mean()) / noise)
                    owners.setdefault(family(call), []).append(index)
        self._rows = {name: np.array(group) for name, group in rows.items()}
        self._owners = {name: np.array(group) for name, group in owners.items()}
        self._targets = {name: targets[name] for name in self._rows}
        self._worth = {name: self._family_worth(name) for name in self._rows}

    def best(self, capacity_bytes: int) -> int | None:
        """The candidate that takes most variance for its time; None if none helps or fits."""
        worth = np.zeros(len(self._cost))
        for of_family in self._worth.values():
            worth += of_family
        value = np.where(self._flash <= capacity_bytes, worth / self._cost, 0.0)
        if not len(value) or value.max() <= 0.0:
            return None
        return int(value.argmax())

    def variance(self, targets: Mapping[str, Matrix]) -> float:
        """The targets' variance after the taken candidates."""
        left = {**targets, **self._targets}
        return sum(float(np.trace(square)) for square in left.values())

    def cost(self, chosen: Sequence[int]) -> float:
        """Predicted cycles of one run of each."""
        return float(self._cost[list(chosen)].sum())

    def take(self, index: int) -> None:
        """Update the variance as if the candidate had been measured."""
        self._flash[index] = np.iinfo(np.int64).max  # it may not be taken twice
        for name, owners in self._owners.items():
            mine = np.flatnonzero(owners == index)
            for row in mine:
                self._learn(name, self._rows[name][row])
            if len(mine):
                self._worth[name] = self._family_worth(name)

    def _learn(self, name: str, row: Vector) -> None:
        """Potter's update: the information of a row leaves the rows and the targets."""
        square = float(row @ row)
        if square == 0.0:
            return
        shrink = (1.0 - math.sqrt(1.0 / (1.0 + square))) / square
        change = np.eye(len(row)) - shrink * np.outer(row, row)
        self._rows[name] = self._rows[name] @ change
        self._targets[name] = change @ self._targets[name] @ change

    def _family_worth(self, name: str) -> Vector:
        """Variance that each candidate takes from this family, shape (candidates,)."""
        rows = self._rows[name]
        taken = ((rows @ self._targets[name]) * rows).sum(axis=1) / (1.0 + (rows**2).sum(axis=1))
        worth = np.zeros(len(self._cost))
        np.add.at(worth, self._owners[name], taken)
        return worth
