# SPDX-License-Identifier: Apache-2.0
"""What all candidates of a study are evaluated with, and the networks that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from unas.architecture import Architecture
from unas.artifact import Flatbuffer
from unas.candidate import Candidate
from unas.config import LatencyMode, MacCount, StudyConfig
from unas.graph import Graph
from unas.graph.pruning import channel_groups, prune_graph, pruned_weights
from unas.record import Figures, Prediction
from unas.resources.estimate import estimate
from unas.study.predictor import Predictor
from unas.tflite.lowering import lower_graph
from unas.tflite.order import in_best_order
from unas.tflite.reader import read_flatbuffer


class GraphSpace(Protocol):
    """The part of a search space that makes networks."""

    def graph(
        self, arch: Architecture, input_shape: tuple[int, int, int], num_classes: int
    ) -> Graph:
        """The network, from (height, width, channels) to logits."""
        ...


@dataclass(frozen=True, slots=True)
class EstimatedNetwork:
    """A network as it is exported, and what is computed from it alone.

    Attributes:
        graph: The network, in the order that its operators are executed in.
        figures: What the resource model says of it.
        values: The quantities that constraints name, as far as figures give them: not the latency.
        unpruned: Figures of the network that has all its channels; None where it lost none.
    """

    graph: Graph
    figures: Figures
    values: Mapping[str, float]
    unpruned: Figures | None = None


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """What all candidates of a study are evaluated with.

    Attributes:
        study: Constraints, modes, schedules.
        space: Makes networks.
        input_shape: (height, width, channels) of the data set.
        num_classes: Of the data set.
        predictor: Predicts latency and arena; None without a calibration.
        enters_front: Whether a trained network with these values would be on the Pareto front of
            the feasible ones.
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
        """Where the latency comes from."""
        return self.study.latency.mode

    def untrained(self, candidate: Candidate) -> EstimatedNetwork:
        """The network that training is expected to leave: pruned evenly.

        Without structured pruning no channel goes, but weights that will be zero are not counted
        in the model size.
        """
        dense = self.space.graph(candidate.architecture, self.input_shape, self.num_classes)
        graph = exported(dense)
        figures, unpruned, zeros = _figures(graph), None, 0
        if self.structured and candidate.sparsity:
            graph = exported(pruned_to(dense, evenly_kept(dense, candidate.sparsity)))
            figures, unpruned = _figures(graph), figures
        elif candidate.sparsity:
            zeros = pruned_weights(dense, candidate.sparsity)
        return EstimatedNetwork(graph, figures, self._values(figures, zeros), unpruned)

    def trained(self, model: Flatbuffer, zeros: int) -> EstimatedNetwork:
        """The network that training left.

        Args:
            model: Its file.
            zeros: Its weights that are zero; they count only without structured pruning.

        Raises:
            ModelError: The file cannot be read.
        """
        graph = read_flatbuffer(model.data, model.name)
        figures = replace(_figures(graph), flatbuffer_bytes=model.flatbuffer_bytes)
        values = self._values(figures, 0 if self.structured else zeros)
        return EstimatedNetwork(graph, figures, values)

    def predicted(self, network: EstimatedNetwork) -> Figures:
        """A network's figures with latency and arena, where there are models of them."""
        if self.predictor is None:
            return network.figures
        return replace(
            network.figures,
            latency_us=self.predictor.latency_us(network.graph),
            arena_used_bytes=self.predictor.arena_used_bytes(network.graph),
        )

    def straddles(self, latency: Prediction | None) -> bool:
        """Whether the limit on latency lies within the interval of a prediction."""
        limit = self.study.judged.latency_us
        return limit is not None and latency is not None and latency.lower <= limit < latency.upper

    def training_seed(self, index: int, repeat: int = 0) -> int:
        """Seed of a candidate's training.

        Args:
            index: Of its record.
            repeat: 0 in the search; n for its n-th training after the search.
        """
        return (self.study.search.seed * 100_003 + index + repeat * 1_000_000_007) % 2**31

    def _values(self, figures: Figures, zeros: int) -> dict[str, float]:
        resources = self.study.resources
        with_input, without = figures.peak_memory_bytes, figures.peak_memory_without_input_bytes
        exact = resources.macs is MacCount.EXACT
        return {
            "peak_memory_bytes": float(with_input if resources.count_input else without),
            "model_size_bytes": float(figures.model_size_bytes - zeros),
            "macs": float(figures.macs if exact else figures.paper_macs),
        }


def exported(graph: Graph) -> Graph:
    """As it is written to the board: lowered as TFLite's converter does, in its best order."""
    return in_best_order(lower_graph(graph))


def pruned_to(graph: Graph, kept: Sequence[int]) -> Graph:
    """A network of the shape that pruning left.

    Args:
        graph: Before pruning and lowering.
        kept: Channels that stay in each group, as ``TrainingResult.kept_channels`` has them. Shapes
            depend on how many stay, not on which ones.

    Raises:
        ArchitectureError: The numbers do not fit the graph's groups.
    """
    groups = channel_groups(graph)
    masks = [np.arange(group.size) < count for count, group in zip(kept, groups, strict=True)]
    return prune_graph(graph, groups, masks)


def evenly_kept(graph: Graph, sparsity: float) -> tuple[int, ...]:
    """How many channels stay in each group if pruning takes the same share of all, one at least.

    Which groups pruning really takes from shows in training. This is what is expected before, and
    what a candidate is evaluated with until then.
    """
    sizes = (group.size for group in channel_groups(graph))
    return tuple(max(1, size - round(size * sparsity)) for size in sizes)


def _figures(graph: Graph) -> Figures:
    resources = estimate(graph)
    return Figures(
        macs=resources.macs,
        paper_macs=resources.paper_macs,
        model_size_bytes=resources.model_size_bytes,
        peak_memory_bytes=resources.peak_memory_bytes,
        peak_memory_without_input_bytes=resources.peak_memory_without_input_bytes,
    )
