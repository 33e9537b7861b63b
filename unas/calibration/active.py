# SPDX-License-Identifier: Apache-2.0
"""Active sampling: measures what lowers the uncertainty most, until the error goal is reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from unas.calibration.uncertainty import (
    Acquisition,
    Batch,
    Ensemble,
    FamilyUncertainty,
    MeasurementCandidate,
)
from unas.cost.model import BOOSTED, OverheadModel, fit_core, network_cycles
from unas.cost.model_selection import Fitted
from unas.cost.types import KernelProfile, Sample

Measure = Callable[[Sequence[str]], Sequence[Sample]]
"""Measures candidates by name; those that cannot be measured are missing from the result."""


@dataclass(frozen=True, slots=True)
class Goal:
    """When active sampling stops.

    Attributes:
        mape_percent: Mean absolute relative error on the held-out networks, at most.
        max_networks: Networks to train on, at most.
        max_kernels: Single kernels to train on, at most.
        capacity_bytes: Flash for models in one image.
        kernels_per_image: Kernels in one batch, at most: the results of each batch choose the next.
    """

    mape_percent: float
    max_networks: int
    max_kernels: int
    capacity_bytes: int
    kernels_per_image: int = 128


@dataclass(frozen=True, slots=True)
class Round:
    """One batch, and the errors after it.

    Attributes:
        measured: What the batch held: "networks" or "kernels".
        count: Number of them that were measured.
        networks: Networks trained on so far.
        kernels: Single kernels trained on so far.
        mape_percent: Mean absolute relative error of the held-out networks.
        within_10_percent: Share of the held-out networks within ±10 %, in percent.
        uncertainty_percent: Expected relative error of a random network's latency, from the
            disagreement of the ensemble.
        residual_percent: Mean relative error of the overhead model on actual cycles: what no single
            kernel can explain.
        families: Uncertainty by family, as shares.
    """

    measured: str
    count: int
    networks: int
    kernels: int
    mape_percent: float
    within_10_percent: float
    uncertainty_percent: float
    residual_percent: float
    families: tuple[FamilyUncertainty, ...]

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types; files have "doubt" for the uncertainty."""
        data = asdict(self)
        data["doubt_percent"] = data.pop("uncertainty_percent")
        data["families"] = [
            {"family": one.family, "share": one.share, "doubt": one.uncertainty}
            for one in self.families
        ]
        return data


@dataclass(frozen=True, slots=True)
class SamplingResult:
    """Result of active sampling.

    Attributes:
        fitted: Latency models, fitted on the samples.
        samples: All samples that were trained on.
        rounds: In order.
        reached: Whether the default model's error on the held-out networks is at most the goal.
        mape_percent: Mean absolute relative error of the default model on the held-out networks.
    """

    fitted: Fitted
    samples: tuple[Sample, ...]
    rounds: tuple[Round, ...]
    reached: bool
    mape_percent: float

    def to_json_dict(self) -> dict[str, Any]:
        """The rounds and the final error as JSON types."""
        return {
            "reached": self.reached,
            "held_out_mape_percent": self.mape_percent,
            "rounds": [one.to_json_dict() for one in self.rounds],
        }


def sample_actively(
    held_out: Sequence[Sample],
    start: Sequence[Sample],
    pool: Sequence[MeasurementCandidate],
    measure: Measure,
    fit: Callable[[Sequence[Sample]], Fitted],
    goal: Goal,
    profile: KernelProfile,
    *,
    seed: int = 0,
    on_round: Callable[[Round], None] = lambda _: None,
) -> SamplingResult:
    """Measure batch after batch until the goal is reached or nothing is left to measure.

    Args:
        held_out: Networks that are never trained on.
        start: Networks to begin with.
        pool: What could be measured; its networks also stand for random networks.
        measure: Measures the chosen candidates.
        fit: Fits and chooses the default model; called when a quickly fitted one reaches the goal.
        goal: When to stop.
        profile: Of board and runtime.
        seed: Draws the resamples.
        on_round: Called with each round.

    Raises:
        StoreError: Too little to fit.
    """
    sampling = _Sampling(held_out, start, pool, goal, profile, seed)
    rounds: list[Round] = []
    measured, count = "networks", len(start)
    while True:
        rounds.append(sampling.evaluate(measured, count))
        on_round(rounds[-1])
        names = sampling.next_batch()
        if rounds[-1].mape_percent <= goal.mape_percent or not names:
            fitted = fit(sampling.samples)
            error = held_out_error([fitted.model.cycles(s.calls).value for s in held_out], held_out)
            if error <= goal.mape_percent or not names:
                reached = error <= goal.mape_percent
                return SamplingResult(
                    fitted, tuple(sampling.samples), tuple(rounds), reached, error
                )
        samples = measure(names)
        measured, count = sampling.learn(names, samples), len(samples)


def held_out_error(predicted: Sequence[float], held_out: Sequence[Sample]) -> float:
    """Mean absolute relative error in percent."""
    actual = np.array([sample.cycles for sample in held_out])
    return float(np.abs(np.array(predicted) / actual - 1.0).mean() * 100.0)


class _Sampling:
    """Samples that were measured, and candidates that are left."""

    def __init__(
        self,
        held_out: Sequence[Sample],
        start: Sequence[Sample],
        pool: Sequence[MeasurementCandidate],
        goal: Goal,
        profile: KernelProfile,
        seed: int,
    ) -> None:
        self.samples = list(start)
        self._held_out, self._goal, self._profile, self._seed = held_out, goal, profile, seed
        self._pool = {candidate.name: candidate for candidate in pool}
        self._random = [candidate.calls for candidate in pool if candidate.is_network]
        self._acquisition: Acquisition | None = None
        self._needs_networks = False

    def evaluate(self, measured: str, count: int) -> Round:
        """Fit a quick model and the ensemble on the samples so far."""
        core = fit_core(BOOSTED, self.samples, self._profile, self._seed)
        overhead = OverheadModel.fit(self.samples)
        predicted = np.array(
            [
                network_cycles(core, overhead, s.calls, core.operators(s.calls))
                for s in self._held_out
            ]
        )
        actual = np.array([sample.cycles for sample in self._held_out])
        ensemble = Ensemble(self.samples, self._profile, self._seed)
        self._acquisition = Acquisition(ensemble, self._random)
        uncertainty = self._acquisition.total()
        self._needs_networks = overhead.residual_percent > uncertainty * 100.0
        networks = sum(sample.is_network for sample in self.samples)
        return Round(
            measured=measured,
            count=count,
            networks=networks,
            kernels=len(self.samples) - networks,
            mape_percent=held_out_error(list(predicted), self._held_out),
            within_10_percent=float((np.abs(predicted / actual - 1.0) <= 0.1).mean() * 100.0),
            uncertainty_percent=uncertainty * 100.0,
            residual_percent=overhead.residual_percent,
            families=self._acquisition.families(),
        )

    def next_batch(self) -> tuple[str, ...]:
        """Names of the batch that takes most variance for its time.

        Networks come first while the overhead model errs more than the operators are uncertain:
        single kernels cannot help there.
        """
        networks, kernels = self._choose(True), self._choose(False)
        if not networks.names or not kernels.names:
            return networks.names or kernels.names
        of_networks = networks.variance / networks.cycles
        if self._needs_networks or of_networks > kernels.variance / kernels.cycles:
            return networks.names
        return kernels.names

    def _choose(self, is_network: bool) -> Batch:
        goal = self._goal
        have = sum(sample.is_network is is_network for sample in self.samples)
        left = (goal.max_networks if is_network else goal.max_kernels) - have
        candidates = [one for one in self._pool.values() if one.is_network is is_network]
        if self._acquisition is None or left <= 0:
            return Batch((), 0.0, 0.0)
        count = left if is_network else min(left, goal.kernels_per_image)
        return self._acquisition.choose(candidates, goal.capacity_bytes, count)

    def learn(self, names: Sequence[str], samples: Sequence[Sample]) -> str:
        """Add the samples of a batch; candidates that could not be measured are dropped."""
        kind = "networks" if self._pool[names[0]].is_network else "kernels"
        for name in names:
            del self._pool[name]
        self.samples.extend(samples)
        return kind
