# SPDX-License-Identifier: Apache-2.0
"""A fitted latency model: cycles of operators, of a whole network, and its prediction interval.

The overhead model leads from operators to the network: it stands for cycles that no operator has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from unas.cost.boosted import Boosted
from unas.cost.intervals import ConformalInterval, Uncertainty
from unas.cost.linear import OperatorLinear
from unas.cost.mac_line import MacLine, Vector
from unas.cost.operators import ArenaLayout, Call, calls_of
from unas.cost.types import KernelProfile, Sample
from unas.errors import StoreError
from unas.graph import Graph
from unas.record import Prediction

SCHEMA = 1
MAC_LINE, OPERATOR_LINEAR, BOOSTED = "mac-line", "operator-linear", "boosted"
MODELS = (MAC_LINE, OPERATOR_LINEAR, BOOSTED)
Core = MacLine | OperatorLinear | Boosted
_MIN_CYCLES = 1.0


def fit_core(name: str, samples: Sequence[Sample], profile: KernelProfile, seed: int) -> Core:
    """Fit the part of a model that predicts operators.

    Args:
        name: One of ``MODELS``.
        samples: Networks and kernels; the MAC line is fitted to whole networks where there are any.
        profile: Of board and runtime.
        seed: Draws the points of the trees.

    Raises:
        StoreError: Too few samples.
    """
    if name == MAC_LINE:
        return MacLine.fit([s for s in samples if s.is_network] or samples)
    if name == OPERATOR_LINEAR:
        return OperatorLinear.fit(samples, profile)
    return Boosted.fit(samples, profile, seed=seed)


def network_cycles(
    core: Core, overhead: OverheadModel, calls: Sequence[Call], cycles: Vector
) -> float:
    """Cycles of a network from its operators'."""
    total = float(cycles.sum())
    if isinstance(core, MacLine):
        return max(total + core.line.intercept, _MIN_CYCLES)
    return max(overhead.total(total, len(calls)), _MIN_CYCLES)


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """One fitted model.

    Attributes:
        name: One of ``MODELS``.
        core: Predicts operators.
        overhead: From the sum over operators to the network.
        uncertainty: Relative errors by stratum.
        interval: Width of the prediction interval, from held-out networks.
        profile: Of board and runtime.
        layout: Of the tensor arena.
        clock_hz: Core clock.
        identity: Where the cycles come from: board, runtime, kernels, provenance, timing.
    """

    name: str
    core: Core
    overhead: OverheadModel
    uncertainty: Uncertainty
    interval: ConformalInterval
    profile: KernelProfile
    layout: ArenaLayout
    clock_hz: float
    identity: Mapping[str, str]

    def operators(self, calls: Sequence[Call]) -> Vector:
        """Cycles of each call, shape (n,)."""
        return self.core.operators(calls)

    def cycles(self, calls: Sequence[Call]) -> Prediction:
        """Cycles of one inference of a network."""
        operators = self.operators(calls)
        value = network_cycles(self.core, self.overhead, calls, operators)
        return self.interval.around(value, self.uncertainty.of(calls, operators))

    def latency_us(self, graph: Graph) -> Prediction:
        """Microseconds of one inference of a network as it is exported."""
        cycles, scale = self.cycles(calls_of(graph, self.layout)), 1e6 / self.clock_hz
        return Prediction(cycles.value * scale, cycles.lower * scale, cycles.upper * scale)

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types, with a schema number; keys are those of the files that exist."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "core": self.core.to_json_dict(),
            "additivity": asdict(self.overhead),
            "doubt": {"families": dict(self.uncertainty.families), "whole": self.uncertainty.whole},
            "interval": self.interval.to_json_dict(),
            "traits": asdict(self.profile),
            "layout": asdict(self.layout),
            "clock_hz": self.clock_hz,
            "identity": dict(self.identity),
        }

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> LatencyModel:
        """From ``to_json_dict``'s result.

        Raises:
            StoreError: Another schema, or something that is missing or of the wrong kind.
        """
        if data.get("schema") != SCHEMA or data.get("name") not in MODELS:
            raise StoreError(
                f"a stored latency model has schema {data.get('schema')!r} and is called "
                f"{data.get('name')!r}; calibrate again with this version"
            )
        try:
            name, profile = str(data["name"]), KernelProfile(**data["traits"])
            return cls(
                name=name,
                core=_core_from(name, data["core"], profile),
                overhead=OverheadModel.from_json_dict(data["additivity"]),
                uncertainty=Uncertainty(
                    {str(key): float(value) for key, value in data["doubt"]["families"].items()},
                    float(data["doubt"]["whole"]),
                ),
                interval=ConformalInterval.from_json_dict(data["interval"]),
                profile=profile,
                layout=ArenaLayout(**data["layout"]),
                clock_hz=float(data["clock_hz"]),
                identity={str(key): str(value) for key, value in data["identity"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(
                f"a stored latency model is not readable: {error}; calibrate again"
            ) from error


def _core_from(name: str, data: Mapping[str, Any], profile: KernelProfile) -> Core:
    if name == MAC_LINE:
        return MacLine.from_json_dict(data)
    if name == OPERATOR_LINEAR:
        return OperatorLinear.from_json_dict(data, profile)
    return Boosted.from_json_dict(data, profile)


def log_errors(actual: Sequence[float], predicted: Vector) -> Vector:
    """log(actual / predicted), shape (n,)."""
    errors: Vector = np.log(np.asarray(actual) / np.maximum(predicted, _MIN_CYCLES))
    return errors


_MIN_NETWORKS = 8


@dataclass(frozen=True, slots=True)
class OverheadModel:
    """cycles = scale * sum of the operators' cycles + overhead * operators.

    Attributes:
        scale: Of the sum: a run that is not profiled is a little faster than the profiled one.
        overhead: Cycles per operator that are not in its own cycles.
        residual_percent: Mean relative error of this relation on actual cycles, in percent: what
            no sum over operators can explain.
    """

    scale: float = 1.0
    overhead: float = 0.0
    residual_percent: float = 0.0

    @classmethod
    def fit(cls, samples: Sequence[Sample]) -> OverheadModel:
        """Least squares of the relative error over networks with profiled operators.

        With fewer than eight of them the scale is 1 and the overhead 0.
        """
        known = [sample for sample in samples if sample.is_network and sample.operator_cycles]
        actual = np.array([sample.cycles for sample in known])
        sums = np.array([sum(sample.operator_cycles) for sample in known])
        counts = np.array([float(len(sample.calls)) for sample in known])
        if len(known) < _MIN_NETWORKS:
            scale, overhead = 1.0, 0.0
        else:
            rows = np.stack([sums / actual, counts / actual], axis=1)
            scale, overhead = np.linalg.lstsq(rows, np.ones(len(known)), rcond=None)[0]
        error = np.abs(scale * sums + overhead * counts - actual) / actual if len(known) else [0.0]
        return cls(float(scale), float(overhead), float(np.mean(error) * 100))

    def total(self, cycles: float, operators: int) -> float:
        """Cycles of a network from the sum over its operators."""
        return self.scale * cycles + self.overhead * operators

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> OverheadModel:
        """From ``dataclasses.asdict``'s result.

        Raises:
            StoreError: Something is missing or unknown.
        """
        try:
            return cls(**{name: float(value) for name, value in data.items()})
        except (TypeError, ValueError) as error:
            raise StoreError(f"a stored overhead model is not readable: {error}") from error
