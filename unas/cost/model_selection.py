# SPDX-License-Identifier: Apache-2.0
"""Which model is best, by cross-validation over networks: no network is ever in both folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unas.cost.intervals import ConformalInterval, Uncertainty, stratum
from unas.cost.metrics import RegressionMetrics, regression_metrics
from unas.cost.model import (
    MAC_LINE,
    MODELS,
    Core,
    LatencyModel,
    OverheadModel,
    fit_core,
    log_errors,
    whole,
)
from unas.cost.operators import ArenaLayout
from unas.cost.terms import family
from unas.cost.types import KernelProfile, Sample
from unas.errors import StoreError
from unas.record import Prediction

FOLDS = 10
LEVEL = 0.9
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One network, or kernel, predicted by a model that never saw it.

    Attributes:
        name: The sample's.
        model: One of ``MODELS``.
        cycles: Found.
        predicted: With its interval, whose width comes from other held-out networks.
        paper_macs: The paper's count of its multiply-accumulates.
        operators: (family, found cycles, predicted cycles), where known.
    """

    name: str
    model: str
    cycles: float
    predicted: Prediction
    paper_macs: int
    operators: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class ModelQuality:
    """How good a model is on networks it never saw.

    Attributes:
        fit: Errors and correlations.
        coverage_percent: Share whose truth lies in the interval.
        nominal_percent: Share that should.
        interval_percent: Median width of the interval, in percent of the prediction.
        worst_percent: Largest error.
    """

    fit: RegressionMetrics
    coverage_percent: float
    nominal_percent: float
    interval_percent: float
    worst_percent: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """All models, and what is known of them.

    Attributes:
        model: The best one.
        models: All, by name, fitted on everything.
        held_out: Every network and model.
    """

    model: LatencyModel
    models: Mapping[str, LatencyModel]
    held_out: tuple[HeldOut, ...]

    def quality(self, name: str) -> ModelQuality:
        """How good a model is on what it never saw."""
        return quality_of(self.held_out, name)


def quality_of(held_out: Sequence[HeldOut], name: str) -> ModelQuality:
    """Summary over the entries of one model."""
    mine = [one for one in held_out if one.model == name]
    found = np.array([one.cycles for one in mine])
    value = np.array([one.predicted.value for one in mine])
    lower = np.array([one.predicted.lower for one in mine])
    upper = np.array([one.predicted.upper for one in mine])
    return ModelQuality(
        fit=regression_metrics(value, found),
        coverage_percent=float(((lower <= found) & (found <= upper)).mean() * 100),
        nominal_percent=LEVEL * 100,
        interval_percent=float(np.median((upper - lower) / value) * 100),
        worst_percent=float((np.abs(value - found) / found).max() * 100),
    )


def fit_latency(
    samples: Sequence[Sample],
    traits: KernelProfile,
    layout: ArenaLayout,
    clock_hz: float,
    identity: Mapping[str, str],
    *,
    seed: int = 0,
    on_step: Callable[[int, int], None] | None = None,
) -> Fitted:
    """Fit every model, judge each by cross-validation, choose the best.

    The folds are over networks; single kernels help to train in all of them. Without networks the
    folds are over the kernels. The best has the smallest mean relative error.

    Args:
        samples: With cycles of their operators, but for the line.
        traits: Of board and runtime.
        layout: Of the tensor arena.
        clock_hz: Core clock.
        identity: What the cycles were found on.
        seed: Draws the folds.
        on_step: Told (done, of how many) after each fit.

    Raises:
        StoreError: Fewer than four networks, or kernels where there are no networks.
    """
    judged = _judged(samples)
    folds = min(FOLDS, len(judged))
    steps, done = len(MODELS) * (folds + 1), 0
    models: dict[str, LatencyModel] = {}
    held_out: list[HeldOut] = []
    for name in MODELS:
        guesses = []
        for train, test in folds_of(samples, judged, folds, seed):
            core = fit_core(name, train, traits, seed)
            guesses.append(_Fold(core, OverheadModel.fit(train), test))
            done += 1
            if on_step:
                on_step(done, steps)
        judgement = _Judgement(name, guesses)
        held_out += judgement.held_out()
        models[name] = LatencyModel(
            name=name,
            core=fit_core(name, samples, traits, seed),
            additivity=OverheadModel.fit(samples),
            doubt=judgement.doubt(),
            interval=judgement.interval(),
            traits=traits,
            layout=layout,
            clock_hz=clock_hz,
            identity=dict(identity),
        )
        done += 1
        if on_step:
            on_step(done, steps)
    best = min(MODELS, key=lambda name: quality_of(held_out, name).fit.mape_percent)
    return Fitted(models[best], models, tuple(held_out))


def _judged(samples: Sequence[Sample]) -> list[str]:
    """Names of what is held out in turn, sorted: the folds do not depend on the order."""
    networks = {sample.name for sample in samples if sample.is_network}
    names = sorted(networks or {sample.name for sample in samples})
    if len(names) < _FEWEST:
        raise StoreError(
            f"cross-validation needs at least {_FEWEST} networks, here are {len(names)}; "
            "measure more"
        )
    return names


def folds_of(
    samples: Sequence[Sample], judged: Sequence[str], folds: int, seed: int
) -> Iterator[tuple[list[Sample], list[Sample]]]:
    """(train, test) by folds over the judged names; what is not judged is always trained on."""
    order = np.random.default_rng(seed).permutation(len(judged))
    for part in np.array_split(order, folds):
        names = {judged[i] for i in part}
        yield (
            [sample for sample in samples if sample.name not in names],
            [sample for sample in samples if sample.name in names],
        )


class _Fold:
    """What a model says of networks it was not fitted on."""

    def __init__(self, core: Core, additivity: OverheadModel, test: Sequence[Sample]) -> None:
        self.test = test
        self.operators = [core.operators(sample.calls) for sample in test]
        self.values = [
            whole(core, additivity, sample.calls, cycles)
            for sample, cycles in zip(test, self.operators, strict=True)
        ]

    def errors(self) -> Iterator[tuple[str, float]]:
        """(circumstance, log(found / predicted)) of every operator that is known."""
        for sample, predicted in zip(self.test, self.operators, strict=True):
            if sample.operator_cycles:
                errors = log_errors(sample.operator_cycles, predicted)
                for call, error in zip(sample.calls, errors, strict=True):
                    yield stratum(call), float(error)


class _Judgement:
    """All folds of one model: learns doubt and interval from some, to judge others."""

    def __init__(self, name: str, folds: Sequence[_Fold]) -> None:
        self._name, self._folds = name, folds
        self._absolute = name == MAC_LINE

    def doubt(self, without: _Fold | None = None) -> Uncertainty:
        errors: dict[str, list[float]] = {}
        for fold in self._folds:
            if fold is not without:
                for name, error in fold.errors():
                    errors.setdefault(name, []).append(error)
        return Uncertainty.learn(errors)

    def interval(self, without: _Fold | None = None) -> ConformalInterval:
        doubt = self.doubt(without)
        scores: list[float] = []
        for fold in self._folds:
            if fold is not without:
                scores += self._scores(fold, doubt)
        return ConformalInterval.from_scores(scores, LEVEL, absolute=self._absolute)

    def _scores(self, fold: _Fold, doubt: Uncertainty) -> Iterator[float]:
        for sample, cycles, value in zip(fold.test, fold.operators, fold.values, strict=True):
            if self._absolute:
                yield abs(sample.cycles - value)
            else:
                yield abs(np.log(sample.cycles / value)) / doubt.of(sample.calls, cycles)

    def held_out(self) -> Iterator[HeldOut]:
        for fold in self._folds:
            doubt, interval = self.doubt(fold), self.interval(fold)
            for sample, cycles, value in zip(fold.test, fold.operators, fold.values, strict=True):
                families = [family(call) for call in sample.calls]
                yield HeldOut(
                    name=sample.name,
                    model=self._name,
                    cycles=sample.cycles,
                    predicted=interval.around(value, doubt.of(sample.calls, cycles)),
                    paper_macs=sample.paper_macs,
                    operators=tuple(
                        (name, found, float(predicted))
                        for name, found, predicted in zip(
                            families, sample.operator_cycles, cycles, strict=False
                        )
                    ),
                )
