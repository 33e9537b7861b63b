# SPDX-License-Identifier: Apache-2.0
"""The calibrated models while a study runs, refitted to what the board measures."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from unas.cost.intervals import ConformalInterval
from unas.cost.memory import ArenaModel
from unas.cost.model import MAC_LINE, LatencyModel, OverheadModel, fit_core
from unas.cost.types import Sample
from unas.errors import StoreError
from unas.graph import Graph
from unas.record import Measurement, Prediction
from unas.store.measurements import sample_of

REFIT_EVERY = 8
"""Number of new measurements after which the latency model is fitted again."""

_MIN_OWN_SCORES = 19  # with fewer, the study's own errors give no 90 % interval
_MAX_UPPER = 1e15  # stands for an interval without end, which JSON cannot hold


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a study knows of its board when it begins.

    Attributes:
        latency: The latency model that calibration chose.
        samples: What it was fitted on; empty if that is not known: it is then never refitted.
        arena: The model of the tensor arena, or None.
    """

    latency: LatencyModel
    samples: tuple[Sample, ...] = ()
    arena: ArenaModel | None = None


class Predictor:
    """Predicts what the board would measure.

    Predictions depend on the calibration and on the samples that were learnt, in their order; on
    nothing else.
    """

    def __init__(self, calibrated: Calibrated, *, every: int = REFIT_EVERY, seed: int = 0) -> None:
        self._model, self._arena = calibrated.latency, calibrated.arena
        self._samples, self._every, self._seed = list(calibrated.samples), every, seed
        self._fits = bool(calibrated.samples)
        self._names = {sample.name for sample in self._samples}
        self._new = 0
        self._scores: list[float] = []

    @property
    def refits(self) -> int:
        """How often the latency model has been refitted since the study began."""
        return self._new // self._every if self._fits else 0

    def latency_us(self, graph: Graph) -> Prediction:
        """Latency of one inference, in microseconds, of a network as it is exported."""
        return _storable(self._model.latency_us(graph))

    def arena_used_bytes(self, graph: Graph) -> Prediction | None:
        """Size of the tensor arena in bytes; None without a model of it."""
        return None if self._arena is None else _storable(self._arena.predict(graph))

    def sample_of(self, graph: Graph, measurement: Measurement) -> Sample | None:
        """The sample that a measurement gives, of a network in the order it was executed.

        None where it was made elsewhere than what the model was fitted on: numbers of different
        provenance, runtime, runtime revision or timing do not mix.
        """
        same = measurement.conditions.agree_with(self._model.identity)
        if not same or not measurement.operators:
            return None
        try:
            return sample_of(measurement, graph, self._model.layout, name=measurement.model_sha256)
        except StoreError:  # it ran other operators
            return None

    def learn(self, sample: Sample) -> None:
        """Take in a sample; every ``REFIT_EVERY`` of them the latency model is refitted.

        A network that is known already teaches nothing. The interval is that of the calibration
        until there are enough errors of the study's own: of predictions that were made before the
        network was measured.
        """
        if not self._fits or sample.name in self._names:
            return
        self._names.add(sample.name)
        self._scores.append(self._score(sample))
        self._samples.append(sample)
        self._new += 1
        if self._new % self._every == 0:
            self._refit()

    def _score(self, sample: Sample) -> float:
        """The model's error on a sample that it was not fitted on, in units of its interval."""
        operators = self._model.operators(sample.calls)
        value = self._model.cycles(sample.calls).value
        if self._model.interval.absolute:
            return abs(sample.cycles - value)
        return abs(math.log(sample.cycles / value)) / self._model.uncertainty.of(
            sample.calls, operators
        )

    def _refit(self) -> None:
        model = self._model
        self._model = replace(
            model,
            core=fit_core(model.name, self._samples, model.profile, self._seed),
            overhead=OverheadModel.fit(self._samples),
            interval=self._interval(model.interval),
        )

    def _interval(self, old: ConformalInterval) -> ConformalInterval:
        if len(self._scores) < _MIN_OWN_SCORES:
            return old
        return ConformalInterval.from_scores(
            self._scores, old.level, absolute=self._model.name == MAC_LINE
        )


def _storable(prediction: Prediction) -> Prediction:
    return Prediction(prediction.value, prediction.lower, min(prediction.upper, _MAX_UPPER))
