# SPDX-License-Identifier: Apache-2.0
"""From genes to the graph that is written to the board."""

from __future__ import annotations

from unas.architecture import Architecture
from unas.export.lower import lower_graph
from unas.export.order import in_best_order
from unas.graph import Graph
from unas.space.build import build_graph


def exported_graph(
    architecture: Architecture, input_shape: tuple[int, int, int], num_classes: int
) -> Graph:
    """The network as it is exported: lowered as TFLite's converter does, in its best order.

    Args:
        architecture: Genes.
        input_shape: (height, width, channels).
        num_classes: Classes.

    Raises:
        ArchitectureError: The genes make no network for this input.
    """
    return in_best_order(lower_graph(build_graph(architecture, input_shape, num_classes)))
