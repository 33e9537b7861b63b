# SPDX-License-Identifier: Apache-2.0
"""What all candidates of a study are judged by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from unas.config import LatencyMode, MacCount, StudyConfig
from unas.graph import Graph
from unas.record import Figures, Prediction
from unas.resources.estimate import estimate
from unas.study.networks import GraphSpace
from unas.study.predictor import Predictor


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """What all candidates of a study are judged by.

    Attributes:
        study: Bounds, modes, schedules.
        space: Makes networks.
        input_shape: (height, width, channels) of the data set.
        num_classes: Of the data set.
        predictor: What the board would say; None without a calibration.
        enters_front: Whether a trained network with these values would be on the Pareto front of
            those that keep every bound.
    """

    study: StudyConfig
    space: GraphSpace
    input_shape: tuple[int, int, int]
    num_classes: int
    predictor: Predictor | None
    enters_front: Callable[[Mapping[str, float]], bool]

    @property
    def structured(self) -> bool:
        """Whether channels are pruned."""
        return self.study.pruning is not None and self.study.pruning.structured

    @property
    def mode(self) -> LatencyMode:
        """Where the latency term comes from."""
        return self.study.latency.mode

    def figures(self, graph: Graph) -> Figures:
        """What the resource model says of a network as it is exported."""
        found = estimate(graph)
        return Figures(
            macs=found.macs,
            paper_macs=found.paper_macs,
            model_size_bytes=found.model_size_bytes,
            peak_memory_bytes=found.peak_memory_bytes,
            peak_memory_without_input_bytes=found.peak_memory_without_input_bytes,
        )

    def predicted(self, graph: Graph, figures: Figures) -> Figures:
        """The same figures with latency and arena, where there are models of them."""
        if self.predictor is None:
            return figures
        return replace(
            figures,
            latency_us=self.predictor.latency_us(graph),
            arena_used_bytes=self.predictor.arena_used_bytes(graph),
        )

    def values(self, figures: Figures, *, zeros: int = 0) -> dict[str, float]:
        """The quantities that constraints name, as far as figures tell them, but the latency.

        Args:
            figures: Of a network.
            zeros: Weights that are zero and, without structure in pruning, do not count.
        """
        resources = self.study.resources
        with_input, without = figures.peak_memory_bytes, figures.peak_memory_without_input_bytes
        exact = resources.macs is MacCount.EXACT
        return {
            "peak_memory_bytes": float(with_input if resources.count_input else without),
            "model_size_bytes": float(figures.model_size_bytes - zeros),
            "macs": float(figures.macs if exact else figures.paper_macs),
        }

    def straddles(self, latency: Prediction | None) -> bool:
        """Whether the limit on latency lies within the interval."""
        limit = self.study.judged.latency_us
        return limit is not None and latency is not None and latency.lower <= limit < latency.upper

    def training_seed(self, index: int, again: int = 0) -> int:
        """Seed of a candidate's training.

        Args:
            index: Of its record.
            again: 0 in the search; n for its n-th training after the search.
        """
        return (self.study.search.seed * 100_003 + index + again * 1_000_000_007) % 2**31
