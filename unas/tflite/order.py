# SPDX-License-Identifier: Apache-2.0
"""The execution order that needs the least memory, for graphs and for .tflite files.

The runtime executes operators in the file's order, so the best order must be in the file. TFLite's
converter keeps the order of the Keras model, which needs more memory in about half of the networks
with parallel branches.
"""

from __future__ import annotations

import struct

from unas.architecture import Architecture
from unas.artifact import Flatbuffer
from unas.graph import Graph
from unas.resources.order_search import peak_memory
from unas.space.build import build_graph
from unas.tflite.flatbuffer_table import FlatbufferTable
from unas.tflite.lowering import lower_graph
from unas.tflite.reader import read_flatbuffer
from unas.tflite.schema import ModelField, SubGraphField


def in_best_order(graph: Graph) -> Graph:
    """The same network in an execution order of least peak memory, the input buffer counted.

    The order depends on the network alone, not on the one the operators came in: two files of one
    network are executed alike.
    """
    return graph.reordered(_best_order(graph))


def reorder_flatbuffer(model: Flatbuffer) -> Flatbuffer:
    """The same .tflite file with its operators in an order of least peak memory.

    Only the vector that lists the operators changes: constants, quantization parameters and the
    file's size stay as they are.

    Raises:
        ModelError: The model cannot be read; see ``read_flatbuffer``.
    """
    order = _best_order(read_flatbuffer(model.data, model.name))
    subgraph = FlatbufferTable.root(model.data, model.name).tables(ModelField.SUBGRAPHS, 1)[0]
    start, count = subgraph.vector(SubGraphField.OPERATORS, 4)
    # Each element holds the distance from itself to its table.
    tables = [
        start + 4 * i + offset
        for i, offset in enumerate(struct.unpack_from(f"<{count}I", model.data, start))
    ]
    distances = [tables[old] - (start + 4 * new) for new, old in enumerate(order)]
    if min(distances, default=0) < 0:
        raise subgraph.broken("its operators stand before the list that names them")
    data = bytearray(model.data)
    struct.pack_into(f"<{count}I", data, start, *distances)
    return Flatbuffer(bytes(data), model.name)


def _best_order(graph: Graph) -> tuple[int, ...]:
    canonical = _depth_first(graph)
    best = peak_memory(graph.reordered(canonical), count_input=True, in_place_add=False).order
    return tuple(canonical[i] for i in best)


def _depth_first(graph: Graph) -> tuple[int, ...]:
    """Operators from the outputs backwards, inputs first; then those that no output needs."""
    order: dict[int, None] = {}
    stack = [p for p in map(graph.producer, reversed(graph.outputs)) if p is not None]
    while stack:
        position = stack[-1]
        needed = (graph.producer(i) for i in graph.activations_of(graph.operators[position]))
        waiting = [p for p in needed if p is not None and p not in order]
        if waiting:
            stack.append(waiting[0])
        else:
            order[stack.pop()] = None
    return (*order, *(i for i in range(len(graph.operators)) if i not in order))


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
