# SPDX-License-Identifier: Apache-2.0
"""Random networks whose arena is worth predicting."""

from __future__ import annotations

import numpy as np

from unas.errors import ArchitectureError
from unas.graph import Graph
from unas.space.cnn import CNN_SPACE, random_architecture
from unas.tflite.order import exported_graph


def random_networks(count: int, seed: int) -> list[Graph]:
    """Networks of the CNN space as exported, for three small inputs in turn."""
    graphs: list[Graph] = []
    rng = np.random.default_rng(seed)
    while len(graphs) < count:
        shape = ((16, 16, 3), (20, 12, 1), (24, 24, 2))[len(graphs) % 3]
        try:
            graphs.append(exported_graph(random_architecture(rng, CNN_SPACE), shape, 10))
        except ArchitectureError:
            continue
    return graphs
