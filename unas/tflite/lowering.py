# SPDX-License-Identifier: Apache-2.0
"""The changes that TensorFlow's converter makes to a network, made to a graph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from unas.graph import (
    Graph,
    MeanOptions,
    Operator,
    OperatorKind,
    PadOptions,
    ReshapeOptions,
)


def lower_graph(graph: Graph) -> Graph:
    """The same network, as TFLiteConverter (TensorFlow 2.21) writes it.

    * A RESHAPE of (1, ..., 1, C) to (1, C) in front of FULLY_CONNECTED goes: that operator flattens
      its input anyway. Where it changes the last dimension, the converter keeps it.
    * Equal paddings, axes and shapes become one constant.
    * Of operators that compute the same from the same, like the pre-pools of parallel branches, one
      remains. Kernels and biases never count as the same.

    Tensors that nothing uses any more go too; the others keep their order.
    """
    operators = _without_flattening(graph)
    operators = _with_shared_constants(graph, operators)
    return _compacted(graph, *_without_repetitions(graph, operators))


def _without_flattening(graph: Graph) -> list[Operator]:
    source: dict[int, int] = {}
    for op in graph.operators:
        if op.kind is OperatorKind.RESHAPE:
            before, after = (graph.tensors[i].shape for i in (op.inputs[0], op.output))
            if before[-1:] == after[-1:] and len(after) == 2:
                source[op.output] = op.inputs[0]
    operators = []
    for op in graph.operators:
        data = op.inputs[0]
        if op.kind is OperatorKind.FULLY_CONNECTED and data in source:
            op = replace(op, inputs=(source[data], *op.inputs[1:]))
        operators.append(op)
    read = {i for op in operators for i in op.inputs} | set(graph.outputs)
    return [op for op in operators if op.output in read or op.output not in source]


def _with_shared_constants(graph: Graph, operators: Iterable[Operator]) -> list[Operator]:
    first: dict[tuple[object, ...], int] = {}
    shared = []
    for op in operators:
        value = _constant_value(op)
        if value and len(op.inputs) > 1 and graph.tensors[op.inputs[1]].constant:
            # Equal bytes in equal shapes are one tensor, whatever reads them.
            key = (graph.tensors[op.inputs[1]].shape, value)
            constant = first.setdefault(key, op.inputs[1])
            op = replace(op, inputs=(op.inputs[0], constant, *op.inputs[2:]))
        shared.append(op)
    return shared


def _constant_value(op: Operator) -> tuple[int, ...]:
    """The words in the operator's second input; empty if its options do not have them."""
    match op.options:
        case PadOptions(paddings=paddings):
            return tuple(size for pair in paddings for size in pair)
        case MeanOptions(axes=axes):
            return axes
        case ReshapeOptions(new_shape=shape):
            return shape
        case _:
            return ()


def _without_repetitions(
    graph: Graph, operators: Iterable[Operator]
) -> tuple[list[Operator], tuple[int, ...]]:
    """Operators that remain, and the graph's outputs among theirs."""
    first: dict[tuple[object, ...], int] = {}
    same: dict[int, int] = {}
    remaining = []
    for op in operators:
        op = replace(op, inputs=tuple(same.get(i, i) for i in op.inputs))
        output = first.setdefault((op.kind, op.inputs, op.options), op.output)
        if output == op.output:
            remaining.append(op)
        else:
            same[op.output] = output
    return remaining, tuple(same.get(i, i) for i in graph.outputs)


def _compacted(graph: Graph, operators: list[Operator], outputs: tuple[int, ...]) -> Graph:
    used = {i for op in operators for i in (*op.inputs, op.output)} | {*graph.inputs, *outputs}
    kept = [i for i in range(len(graph.tensors)) if i in used]
    number = {old: new for new, old in enumerate(kept)} | {-1: -1}
    return Graph(
        tuple(graph.tensors[i] for i in kept),
        tuple(
            replace(op, inputs=tuple(number[i] for i in op.inputs), output=number[op.output])
            for op in operators
        ),
        tuple(number[i] for i in graph.inputs),
        tuple(number[i] for i in outputs),
    )
