# SPDX-License-Identifier: Apache-2.0
"""Which network a record is about: dense, as pruning is expected to leave it, or as it left it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unas.architecture import Architecture
from unas.graph import Graph
from unas.graph.pruning import channel_groups, prune_graph
from unas.record import Record
from unas.tflite.lowering import lower_graph
from unas.tflite.order import in_best_order


class GraphSpace(Protocol):
    """The part of a search space that makes networks."""

    def graph(
        self, arch: Architecture, input_shape: tuple[int, int, int], num_classes: int
    ) -> Graph:
        """The network, from (height, width, channels) to logits."""
        ...


def exported(graph: Graph) -> Graph:
    """As it is written to the board: lowered as TFLite's converter does, in its best order."""
    return in_best_order(lower_graph(graph))


def pruned_to(graph: Graph, kept: Sequence[int]) -> Graph:
    """A network of the shape that pruning left.

    Args:
        graph: Before pruning and lowering.
        kept: Channels that stayed in each group, as ``TrainingResult.kept_channels`` has them.
            Shapes depend on how many stay, not on which ones.

    Raises:
        ArchitectureError: The numbers do not fit the graph's groups.
    """
    groups = channel_groups(graph)
    return prune_graph(
        graph,
        groups,
        [_first(count, group.size) for count, group in zip(kept, groups, strict=True)],
    )


def evenly_kept(graph: Graph, sparsity: float) -> tuple[int, ...]:
    """How many channels stay in each group if pruning takes the same share of all, one at least.

    Which groups pruning really takes from shows in training. This is what is expected before, and
    what a candidate is judged by until then.
    """
    sizes = (group.size for group in channel_groups(graph))
    return tuple(max(1, size - round(size * sparsity)) for size in sizes)


def judged_graph(
    record: Record,
    space: GraphSpace,
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    structured: bool,
) -> Graph:
    """The network that a record's numbers belong to, as it is exported.

    Args:
        record: Any.
        space: It comes from.
        input_shape: (height, width, channels).
        num_classes: Classes.
        structured: Whether the study prunes channels.

    Raises:
        ArchitectureError: The record does not fit the space.
    """
    candidate = record.candidate
    graph = space.graph(candidate.architecture, input_shape, num_classes)
    kept = record.training.kept_channels if record.training else None
    if kept is None and structured and candidate.sparsity:
        kept = evenly_kept(graph, candidate.sparsity)
    return exported(graph if kept is None else pruned_to(graph, kept))


def _first(count: int, size: int) -> NDArray[np.bool_]:
    return np.arange(size) < count
