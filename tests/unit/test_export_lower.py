# SPDX-License-Identifier: Apache-2.0
"""Lowering changes what the converter changes and nothing else."""

from __future__ import annotations

from tests.export_graphs import Sketch, branches, every_operator
from unas.graph import (
    Activation,
    AddOptions,
    DenseOptions,
    Graph,
    NoOptions,
    OperatorKind,
    PadOptions,
    PoolOptions,
    ReshapeOptions,
)
from unas.tflite.lowering import lower_graph

PADDINGS = ((0, 0), (0, 1), (0, 2), (0, 0))


def flattened(shape: tuple[int, ...], *, kept: bool = False) -> Graph:
    """Input, RESHAPE, FULLY_CONNECTED; if kept, something else reads the RESHAPE too."""
    s = Sketch(shape)
    features = s.tensors[0].elements
    options = ReshapeOptions((1, features))
    flat = s.operator(OperatorKind.RESHAPE, (0, s.words(2)), (1, features), options)
    if kept:
        s.operator(OperatorKind.RELU, (flat,), (1, features), NoOptions())
    return s.graph(s.dense(flat, 5))


def kinds(graph: Graph) -> list[OperatorKind]:
    return [op.kind for op in graph.operators]


def test_a_reshape_that_only_drops_ones_goes() -> None:
    lowered = lower_graph(flattened((1, 1, 1, 7)))
    assert kinds(lowered) == [OperatorKind.FULLY_CONNECTED]
    assert [t.shape for t in lowered.tensors] == [(1, 1, 1, 7), (5, 7), (5,), (1, 5)]
    assert lowered.operators[0].inputs == (0, 1, 2)
    assert lowered.outputs == (3,)


def test_a_reshape_that_changes_the_last_dimension_stays() -> None:
    graph = flattened((1, 2, 2, 7))
    assert lower_graph(graph) == graph


def test_a_reshape_with_another_reader_stays_for_that_one() -> None:
    lowered = lower_graph(flattened((1, 1, 1, 7), kept=True))
    assert sorted(kinds(lowered)) == ["FULLY_CONNECTED", "RELU", "RESHAPE"]
    dense = next(op for op in lowered.operators if isinstance(op.options, DenseOptions))
    assert dense.inputs[0] == lowered.inputs[0]


def test_equal_paddings_become_one_constant() -> None:
    s, kind = Sketch((1, 4, 4, 2)), OperatorKind.PAD
    x = s.operator(kind, (0, s.words(4, 2)), (1, 5, 6, 2), PadOptions(PADDINGS))
    x = s.operator(kind, (x, s.words(4, 2)), (1, 6, 8, 2), PadOptions(PADDINGS))
    other = ((0, 0), (1, 0), (2, 0), (0, 0))
    x = s.operator(kind, (x, s.words(4, 2)), (1, 7, 10, 2), PadOptions(other))
    lowered = lower_graph(s.graph(x))
    first, second, third = (op.inputs[1] for op in lowered.operators)
    assert first == second != third
    assert len(list(lowered.constants())) == 2
    assert [op.options for op in lowered.operators] == [op.options for op in s.operators]


def test_the_same_pool_of_the_same_tensor_is_computed_once() -> None:
    s, pool = Sketch((1, 4, 4, 2)), PoolOptions(2, 2, 2, 2)
    for options in (pool, pool, PoolOptions(2, 2, 2, 2, activation=Activation.RELU)):
        s.operator(OperatorKind.MAX_POOL_2D, (0,), (1, 2, 2, 2), options)
    first = s.operator(OperatorKind.ADD, (1, 3), (1, 2, 2, 2), AddOptions())
    second = s.operator(OperatorKind.ADD, (2, 3), (1, 2, 2, 2), AddOptions())
    lowered = lower_graph(
        s.graph(s.operator(OperatorKind.ADD, (first, second), (1, 2, 2, 2), AddOptions()))
    )
    assert kinds(lowered) == ["MAX_POOL_2D", "MAX_POOL_2D", "ADD", "ADD"]
    assert len(set(lowered.operators[-1].inputs)) == 1


def test_an_output_that_repeats_another_tensor_is_that_tensor() -> None:
    s = Sketch((1, 4))
    kept = s.operator(OperatorKind.RELU, (0,), (1, 4), NoOptions())
    lowered = lower_graph(s.graph(s.operator(OperatorKind.RELU, (0,), (1, 4), NoOptions())))
    assert lowered.outputs == (kept,)
    assert kinds(lowered) == ["RELU"]


def test_convolutions_of_one_tensor_stay_apart() -> None:
    graph = branches()
    assert lower_graph(graph) == graph


def test_what_the_converter_leaves_is_left() -> None:
    graph = every_operator()
    assert lower_graph(graph) == graph


def test_lowering_twice_changes_nothing_more() -> None:
    once = lower_graph(flattened((1, 1, 1, 7)))
    assert lower_graph(once) == once
