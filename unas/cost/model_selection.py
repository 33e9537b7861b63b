# SPDX-License-Identifier: Apache-2.0
"""Selects a latency model by cross-validation over networks: no network is in two folds."""

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
    network_cycles,
)
from unas.cost.operators import ArenaLayout
from unas.cost.terms import family
from unas.cost.types import KernelProfile, Sample
from unas.errors import StoreError
from unas.record import Prediction

FOLDS = 10
LEVEL = 0.9
_MIN_NETWORKS = 4


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One network, or kernel, predicted by a model that was not fitted on it.

    Attributes:
        name: The sample's.
        model: One of ``MODELS``.
        cycles: Actual ones.
        predicted: With its interval, whose width comes from other held-out networks.
        paper_macs: The paper's count of its multiply-accumulates.
        operators: (family, actual cycles, predicted cycles), where known.
    """

    name: str
    model: str
    cycles: float
    predicted: Prediction
    paper_macs: int
    operators: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class ModelQuality:
    """Errors of a model on networks it was not fitted on.

    Attributes:
        fit: Errors and correlations.
        coverage_percent: Share of networks whose actual cycles lie in the interval.
        nominal_percent: Share that the interval is to hold.
        interval_percent: Median width of the interval, in percent of the prediction.
        worst_percent: Largest relative error.
    """

    fit: RegressionMetrics
    coverage_percent: float
    nominal_percent: float
    interval_percent: float
    worst_percent: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """All latency models, fitted on all samples, and their held-out predictions.

    Attributes:
        model: The one with the smallest held-out error.
        models: All of them, by name.
        held_out: A prediction for each network by each model.
    """

    model: LatencyModel
    models: Mapping[str, LatencyModel]
    held_out: tuple[HeldOut, ...]

    def quality(self, name: str) -> ModelQuality:
        """Errors of a model on networks it was not fitted on."""
        return quality_of(self.held_out, name)


def quality_of(held_out: Sequence[HeldOut], name: str) -> ModelQuality:
    """Summary over the entries of one model."""
    mine = [one for one in held_out if one.model == name]
    actual = np.array([one.cycles for one in mine])
    value = np.array([one.predicted.value for one in mine])
    lower = np.array([one.predicted.lower for one in mine])
    upper = np.array([one.predicted.upper for one in mine])
    return ModelQuality(
        fit=regression_metrics(value, actual),
        coverage_percent=float(((lower <= actual) & (actual <= upper)).mean() * 100),
        nominal_percent=LEVEL * 100,
        interval_percent=float(np.median((upper - lower) / value) * 100),
        worst_percent=float((np.abs(value - actual) / actual).max() * 100),
    )


def fit_latency(
    samples: Sequence[Sample],
    profile: KernelProfile,
    layout: ArenaLayout,
    clock_hz: float,
    identity: Mapping[str, str],
    *,
    seed: int = 0,
    on_step: Callable[[int, int], None] | None = None,
) -> Fitted:
    """Fit every model, cross-validate each, choose the best.

    The folds are over networks; single kernels help to train in all of them. Without networks the
    folds are over the kernels. The best has the smallest mean relative error.

    Args:
        samples: With cycles of their operators; the MAC line needs none.
        profile: Of board and runtime.
        layout: Of the tensor arena.
        clock_hz: Core clock.
        identity: Where the cycles come from; see ``LatencyModel``.
        seed: Draws the folds.
        on_step: Called with (done, total) after each fit.

    Raises:
        StoreError: Fewer than four networks, or kernels where there are no networks.
    """
    names = _held_out_names(samples)
    folds = min(FOLDS, len(names))
    steps, done = len(MODELS) * (folds + 1), 0
    models: dict[str, LatencyModel] = {}
    held_out: list[HeldOut] = []
    for name in MODELS:
        predicted = []
        for train, test in folds_of(samples, names, folds, seed):
            core = fit_core(name, train, profile, seed)
            predicted.append(_Fold(core, OverheadModel.fit(train), test))
            done += 1
            if on_step:
                on_step(done, steps)
        validation = _CrossValidation(name, predicted)
        held_out += validation.held_out()
        models[name] = LatencyModel(
            name=name,
            core=fit_core(name, samples, profile, seed),
            overhead=OverheadModel.fit(samples),
            uncertainty=validation.uncertainty(),
            interval=validation.interval(),
            profile=profile,
            layout=layout,
            clock_hz=clock_hz,
            identity=dict(identity),
        )
        done += 1
        if on_step:
            on_step(done, steps)
    best = min(MODELS, key=lambda name: quality_of(held_out, name).fit.mape_percent)
    return Fitted(models[best], models, tuple(held_out))


def _held_out_names(samples: Sequence[Sample]) -> list[str]:
    """Names of what is held out in turn, sorted: the folds do not depend on the order."""
    networks = {sample.name for sample in samples if sample.is_network}
    names = sorted(networks or {sample.name for sample in samples})
    if len(names) < _MIN_NETWORKS:
        raise StoreError(
            f"cross-validation needs at least {_MIN_NETWORKS} networks, here are {len(names)}; "
            "measure more"
        )
    return names


def folds_of(
    samples: Sequence[Sample], names: Sequence[str], folds: int, seed: int
) -> Iterator[tuple[list[Sample], list[Sample]]]:
    """(train, test) by folds over these names; other samples are in every training set."""
    order = np.random.default_rng(seed).permutation(len(names))
    for part in np.array_split(order, folds):
        test = {names[i] for i in part}
        yield (
            [sample for sample in samples if sample.name not in test],
            [sample for sample in samples if sample.name in test],
        )


class _Fold:
    """Predictions of a model for the networks that were left out when it was fitted."""

    def __init__(self, core: Core, overhead: OverheadModel, test: Sequence[Sample]) -> None:
        self.test = test
        self.operators = [core.operators(sample.calls) for sample in test]
        self.values = [
            network_cycles(core, overhead, sample.calls, cycles)
            for sample, cycles in zip(test, self.operators, strict=True)
        ]

    def errors(self) -> Iterator[tuple[str, float]]:
        """(stratum, log(actual / predicted)) of every operator whose cycles are known."""
        for sample, predicted in zip(self.test, self.operators, strict=True):
            if sample.operator_cycles:
                errors = log_errors(sample.operator_cycles, predicted)
                for call, error in zip(sample.calls, errors, strict=True):
                    yield stratum(call), float(error)


class _CrossValidation:
    """All folds of one model: uncertainty and interval of some folds are applied to another."""

    def __init__(self, name: str, folds: Sequence[_Fold]) -> None:
        self._name, self._folds = name, folds
        self._absolute = name == MAC_LINE

    def uncertainty(self, without: _Fold | None = None) -> Uncertainty:
        errors: dict[str, list[float]] = {}
        for fold in self._folds:
            if fold is not without:
                for name, error in fold.errors():
                    errors.setdefault(name, []).append(error)
        return Uncertainty.learn(errors)

    def interval(self, without: _Fold | None = None) -> ConformalInterval:
        uncertainty = self.uncertainty(without)
        scores: list[float] = []
        for fold in self._folds:
            if fold is not without:
                scores += self._scores(fold, uncertainty)
        return ConformalInterval.from_scores(scores, LEVEL, absolute=self._absolute)

    def _scores(self, fold: _Fold, uncertainty: Uncertainty) -> Iterator[float]:
        for sample, cycles, value in zip(fold.test, fold.operators, fold.values, strict=True):
            if self._absolute:
                yield abs(sample.cycles - value)
            else:
                yield abs(np.log(sample.cycles / value)) / uncertainty.of(sample.calls, cycles)

    def held_out(self) -> Iterator[HeldOut]:
        for fold in self._folds:
            uncertainty, interval = self.uncertainty(fold), self.interval(fold)
            for sample, cycles, value in zip(fold.test, fold.operators, fold.values, strict=True):
                families = [family(call) for call in sample.calls]
                yield HeldOut(
                    name=sample.name,
                    model=self._name,
                    cycles=sample.cycles,
                    predicted=interval.around(value, uncertainty.of(sample.calls, cycles)),
                    paper_macs=sample.paper_macs,
                    operators=tuple(
                        (name, actual, float(predicted))
                        for name, actual, predicted in zip(
                            families, sample.operator_cycles, cycles, strict=False
                        )
                    ),
                )
