# SPDX-License-Identifier: Apache-2.0
"""The calibrated models while a study runs: asked often, fitted anew to what the board answers."""

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

EVERY = 8
"""So many new measurements, and the latency model is fitted again."""

_OWN_SCORES = 19  # with fewer the study's own errors do not tell a 90 % interval
_MOST = 1e15  # an interval without end, as JSON can hold it


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a study knows of its board when it begins.

    Attributes:
        latency: Chosen by calibration.
        samples: What it was fitted on; empty if they are not known: it then stays as it is.
        arena: Of the tensor arena, or None.
    """

    latency: LatencyModel
    samples: tuple[Sample, ...] = ()
    arena: ArenaModel | None = None


class Predictor:
    """Says what the board would say.

    What it says depends on the calibration and on what it was told, in that order: nothing else.
    """

    def __init__(self, calibrated: Calibrated, *, every: int = EVERY, seed: int = 0) -> None:
        self._model, self._arena = calibrated.latency, calibrated.arena
        self._samples, self._every, self._seed = list(calibrated.samples), every, seed
        self._fits = bool(calibrated.samples)
        self._names = {sample.name for sample in self._samples}
        self._new = 0
        self._scores: list[float] = []

    @property
    def fitted_again(self) -> int:
        """How often it has been fitted to what the board said since the study began."""
        return self._new // self._every if self._fits else 0

    def latency_us(self, graph: Graph) -> Prediction:
        """Microseconds of one inference of a network as it is exported."""
        found = self._model.latency_us(graph)
        return Prediction(found.value, found.lower, min(found.upper, _MOST))

    def arena_used_bytes(self, graph: Graph) -> Prediction | None:
        """Tensor arena; None without a model of it."""
        if self._arena is None:
            return None
        found = self._arena.predict(graph)
        return Prediction(found.value, found.lower, min(found.upper, _MOST))

    def sample_of(self, graph: Graph, measurement: Measurement) -> Sample | None:
        """What can be learnt from a measurement of a network, in the order it was executed.

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
        """Note what the board said of a network; every so often, fit again.

        A network that is known already teaches nothing. The interval is that of the calibration
        until enough of the study's own networks have told how far off predictions were that were
        made before the board was asked.
        """
        if not self._fits or sample.name in self._names:
            return
        self._names.add(sample.name)
        self._scores.append(self._score(sample))
        self._samples.append(sample)
        self._new += 1
        if self._new % self._every == 0:
            self._fit()

    def _score(self, sample: Sample) -> float:
        """How far off the model is on what it was not fitted on, in units of its interval."""
        found = self._model.operators(sample.calls)
        value = self._model.cycles(sample.calls).value
        if self._model.interval.absolute:
            return abs(sample.cycles - value)
        return abs(math.log(sample.cycles / value)) / self._model.uncertainty.of(
            sample.calls, found
        )

    def _fit(self) -> None:
        model = self._model
        self._model = replace(
            model,
            core=fit_core(model.name, self._samples, model.profile, self._seed),
            overhead=OverheadModel.fit(self._samples),
            interval=self._interval(model.interval),
        )

    def _interval(self, old: ConformalInterval) -> ConformalInterval:
        if len(self._scores) < _OWN_SCORES:
            return old
        return ConformalInterval.from_scores(
            self._scores, old.level, absolute=self._model.name == MAC_LINE
        )
