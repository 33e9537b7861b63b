# SPDX-License-Identifier: Apache-2.0
"""Model size as the μNAS paper counts it."""

from __future__ import annotations

from unas.graph import Graph, Operator, OperatorKind

_WITH_PARAMETERS = frozenset(
    {OperatorKind.CONV_2D, OperatorKind.DEPTHWISE_CONV_2D, OperatorKind.FULLY_CONNECTED}
)


def model_size_bytes(graph: Graph) -> int:
    """One byte per parameter: every element of kernels and biases.

    The paper "counts the number of parameters of a neural network at 8 bits = 1 byte per
    parameter". A .tflite file is larger: its biases have four bytes, and it holds scales, shapes
    and structure; ``Flatbuffer.flatbuffer_bytes`` is that figure. A constant that several operators
    share counts once; shapes and paddings are no parameters.
    """
    return _elements(graph, {i for op in graph.operators for i in _parameters(graph, op)})


def operator_size_bytes(graph: Graph, op: Operator) -> int:
    """The same for the constants of one operator."""
    return _elements(graph, set(_parameters(graph, op)))


def _parameters(graph: Graph, op: Operator) -> tuple[int, ...]:
    if op.kind not in _WITH_PARAMETERS:
        return ()
    return tuple(i for i in op.inputs[1:] if i != -1 and graph.tensors[i].constant)


def _elements(graph: Graph, tensors: set[int]) -> int:
    return sum(graph.tensors[i].elements for i in tensors)
