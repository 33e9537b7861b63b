# SPDX-License-Identifier: Apache-2.0
"""A latency model, ready to be asked: operators, the whole network, and how sure it is.

From operators to the whole network: what is not in the operators' own cycles.
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
_LEAST_CYCLES = 1.0


def fit_core(name: str, samples: Sequence[Sample], traits: KernelProfile, seed: int) -> Core:
    """Fit the part of a model that knows operators.

    Args:
        name: One of ``MODELS``.
        samples: Networks and kernels; the line takes whole networks where there are any.
        traits: Of board and runtime.
        seed: Of what is drawn.

    Raises:
        StoreError: Too few samples.
    """
    if name == MAC_LINE:
        return MacLine.fit([s for s in samples if s.is_network] or samples)
    if name == OPERATOR_LINEAR:
        return OperatorLinear.fit(samples, traits)
    return Boosted.fit(samples, traits, seed=seed)


def whole(core: Core, additivity: OverheadModel, calls: Sequence[Call], cycles: Vector) -> float:
    """Cycles of a network from its operators'."""
    total = float(cycles.sum())
    if isinstance(core, MacLine):
        return max(total + core.line.intercept, _LEAST_CYCLES)
    return max(additivity.total(total, len(calls)), _LEAST_CYCLES)


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """One fitted model.

    Attributes:
        name: One of ``MODELS``.
        core: Knows operators.
        additivity: From operators to the network.
        doubt: How unsure each family is.
        interval: Fitted on held-out networks.
        traits: Of board and runtime.
        layout: Of the tensor arena.
        clock_hz: Core clock.
        identity: What the cycles were found on: board, runtime, kernels, provenance, timing.
    """

    name: str
    core: Core
    additivity: OverheadModel
    doubt: Uncertainty
    interval: ConformalInterval
    traits: KernelProfile
    layout: ArenaLayout
    clock_hz: float
    identity: Mapping[str, str]

    def operators(self, calls: Sequence[Call]) -> Vector:
        """Cycles of each call, shape (n,)."""
        return self.core.operators(calls)

    def cycles(self, calls: Sequence[Call]) -> Prediction:
        """Cycles of one inference of a network."""
        found = self.operators(calls)
        value = whole(self.core, self.additivity, calls, found)
        return self.interval.around(value, self.doubt.of(calls, found))

    def latency_us(self, graph: Graph) -> Prediction:
        """Microseconds of one inference of a network as it is exported."""
        found, scale = self.cycles(calls_of(graph, self.layout)), 1e6 / self.clock_hz
        return Prediction(found.value * scale, found.lower * scale, found.upper * scale)

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types, with a schema number."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "core": self.core.to_json_dict(),
            "additivity": asdict(self.additivity),
            "doubt": {"families": dict(self.doubt.families), "whole": self.doubt.whole},
            "interval": self.interval.to_json_dict(),
            "traits": asdict(self.traits),
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
            name, traits = str(data["name"]), KernelProfile(**data["traits"])
            return cls(
                name=name,
                core=_core_from(name, data["core"], traits),
                additivity=OverheadModel.from_json_dict(data["additivity"]),
                doubt=Uncertainty(
                    {str(key): float(value) for key, value in data["doubt"]["families"].items()},
                    float(data["doubt"]["whole"]),
                ),
                interval=ConformalInterval.from_json_dict(data["interval"]),
                traits=traits,
                layout=ArenaLayout(**data["layout"]),
                clock_hz=float(data["clock_hz"]),
                identity={str(key): str(value) for key, value in data["identity"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(
                f"a stored latency model is not readable: {error}; calibrate again"
            ) from error


def _core_from(name: str, data: Mapping[str, Any], traits: KernelProfile) -> Core:
    if name == MAC_LINE:
        return MacLine.from_json_dict(data)
    if name == OPERATOR_LINEAR:
        return OperatorLinear.from_json_dict(data, traits)
    return Boosted.from_json_dict(data, traits)


def log_errors(found: Sequence[float], predicted: Vector) -> Vector:
    """log(found / predicted), shape (n,)."""
    errors: Vector = np.log(np.asarray(found) / np.maximum(predicted, _LEAST_CYCLES))
    return errors


_FEWEST = 8


@dataclass(frozen=True, slots=True)
class OverheadModel:
    """cycles = scale * sum of the operators' cycles + overhead * operators.

    Attributes:
        scale: A run that is not profiled is a little faster than the profiled one.
        overhead: Cycles per operator outside of it.
        residual_percent: Mean relative error of this relation on found cycles, in percent: what no
            sum of operators can explain.
    """

    scale: float = 1.0
    overhead: float = 0.0
    residual_percent: float = 0.0

    @classmethod
    def fit(cls, samples: Sequence[Sample]) -> OverheadModel:
        """Least squares of the relative error over networks with profiled operators.

        With too few of them the sum is taken as it is.
        """
        known = [sample for sample in samples if sample.is_network and sample.operator_cycles]
        found = np.array([sample.cycles for sample in known])
        sums = np.array([sum(sample.operator_cycles) for sample in known])
        counts = np.array([float(len(sample.calls)) for sample in known])
        if len(known) < _FEWEST:
            scale, overhead = 1.0, 0.0
        else:
            rows = np.stack([sums / found, counts / found], axis=1)
            scale, overhead = np.linalg.lstsq(rows, np.ones(len(known)), rcond=None)[0]
        error = np.abs(scale * sums + overhead * counts - found) / found if len(known) else [0.0]
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
            raise StoreError(f"a stored correction is not readable: {error}") from error
