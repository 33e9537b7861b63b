# SPDX-License-Identifier: Apache-2.0
"""Multiply-accumulates and model size, exact and as the μNAS paper counts them."""

from __future__ import annotations

import math
from collections.abc import Callable

from unas.graph import Graph, Operator, OperatorKind, PoolOptions


def macs(graph: Graph) -> int:
    """Multiply-accumulates of CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED; others have none."""
    return sum(operator_macs(graph, op) for op in graph.operators)


def paper_macs(graph: Graph) -> int:
    """The paper's latency proxy: ``macs`` and the work of pools and additions, one for one.

    Source: the compute terms of the reference's resource model with its default weights. An average
    or maximum over a window counts its elements, an addition its output's elements; bias, batch
    normalisation, activation, padding and reshaping count nothing. A mean, which the reference has
    not, counts as the average over one window that it is.
    """
    return sum(operator_paper_macs(graph, op) for op in graph.operators)


def operator_macs(graph: Graph, op: Operator) -> int:
    """Multiply-accumulates of one operator; 0 for kinds that have none."""
    count = _MACS.get(op.kind)
    return 0 if count is None else count(graph, op)


def operator_paper_macs(graph: Graph, op: Operator) -> int:
    """What one operator adds to ``paper_macs``."""
    count = _PAPER_MACS.get(op.kind)
    return 0 if count is None else count(graph, op)


def _output_elements(graph: Graph, op: Operator) -> int:
    return graph.tensors[op.output].elements


def _conv(graph: Graph, op: Operator) -> int:
    # OHWI kernel: each output element reads one filter of H*W*I.
    return _output_elements(graph, op) * math.prod(graph.tensors[op.inputs[1]].shape[1:])


def _depthwise(graph: Graph, op: Operator) -> int:
    # 1HWC kernel: each output element reads one channel of H*W.
    return _output_elements(graph, op) * math.prod(graph.tensors[op.inputs[1]].shape[1:3])


def _dense(graph: Graph, op: Operator) -> int:
    # OI weights: each output element reads one row of I.
    return _output_elements(graph, op) * graph.tensors[op.inputs[1]].shape[1]


def _pool(graph: Graph, op: Operator) -> int:
    if not isinstance(op.options, PoolOptions):
        raise TypeError(f"{op.kind} with {op.options}; give it PoolOptions")
    return _output_elements(graph, op) * op.options.filter_h * op.options.filter_w


def _mean(graph: Graph, op: Operator) -> int:
    return graph.tensors[op.inputs[0]].elements


_Count = Callable[[Graph, Operator], int]
_MACS: dict[OperatorKind, _Count] = {
    OperatorKind.CONV_2D: _conv,
    OperatorKind.DEPTHWISE_CONV_2D: _depthwise,
    OperatorKind.FULLY_CONNECTED: _dense,
}
_PAPER_MACS: dict[OperatorKind, _Count] = _MACS | {
    OperatorKind.AVERAGE_POOL_2D: _pool,
    OperatorKind.MAX_POOL_2D: _pool,
    OperatorKind.ADD: _output_elements,
    OperatorKind.MEAN: _mean,
}


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
