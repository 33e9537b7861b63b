# SPDX-License-Identifier: Apache-2.0
"""Architecture to graph: connection rules, sizes that round down, padding as an operator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from unas.architecture import (
    CnnArchitecture,
    ConvBlock,
    ConvLayer,
    DenseLayer,
    LayerType,
    Pooling,
    PoolingKind,
)
from unas.errors import ArchitectureError
from unas.graph import (
    Activation,
    ConvOptions,
    DenseOptions,
    Graph,
    OperatorKind,
    PadOptions,
    PoolOptions,
)
from unas.space.build import build_graph
from unas.space.cnn import CNN_SPACE, random_architecture
from unas.space.mlp import random_mlp
from unas.space.ranges import IntRange

_K = OperatorKind


def _conv(**genes: Any) -> ConvLayer:
    layer = ConvLayer(LayerType.CONV, 3, 8, 1, prepool=False, batch_norm=False, relu=True)
    return replace(layer, **genes)


def _pointwise(**genes: Any) -> ConvLayer:
    return _conv(type=LayerType.POINTWISE, kernel_size=1, **genes)


def _depthwise(**genes: Any) -> ConvLayer:
    return _conv(type=LayerType.DEPTHWISE, filters=None, **genes)


def _cnn(*blocks: ConvBlock, pooling: Pooling | None = None) -> CnnArchitecture:
    return CnnArchitecture(blocks, pooling, (DenseLayer(16),))


def _serial(*layers: ConvLayer) -> ConvBlock:
    return ConvBlock(False, layers)


def _parallel(*layers: ConvLayer) -> ConvBlock:
    return ConvBlock(True, layers)


def _shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Output shapes by operator name, in order."""
    tensors = (graph.tensors[op.output] for op in graph.operators)
    return {tensor.name: tensor.shape for tensor in tensors}


def _kinds(graph: Graph) -> list[OperatorKind]:
    return [op.kind for op in graph.operators]


def test_a_serial_network() -> None:
    arch = _cnn(
        _serial(_conv(prepool=True, batch_norm=True), _depthwise(stride=2, relu=False)),
        _serial(_pointwise(filters=4)),
        pooling=Pooling(PoolingKind.AVERAGE, 2),
    )
    graph = build_graph(arch, (33, 21, 3), 10)
    assert _shapes(graph) == {
        "block1_layer1_prepool": (1, 16, 10, 3),
        "block1_layer1_conv": (1, 14, 8, 8),
        "block1_layer2_dwconv": (1, 6, 3, 8),
        "block2_layer1_conv": (1, 6, 3, 4),
        "pooling": (1, 3, 1, 4),
        "flatten": (1, 12),
        "dense1": (1, 16),
        "logits": (1, 10),
    }
    conv, depthwise = graph.operators[1].options, graph.operators[2].options
    assert conv == ConvOptions(activation=Activation.RELU, batch_norm=True)
    assert depthwise == ConvOptions(stride_h=2, stride_w=2)
    dense, logits = graph.operators[-2:]
    assert dense.options == DenseOptions(Activation.RELU)
    assert logits.options == DenseOptions(Activation.NONE)


def test_two_classes_share_one_logit() -> None:
    graph = build_graph(_cnn(_serial(_conv())), (8, 8, 1), 2)
    assert graph.tensors[graph.outputs[0]].shape == (1, 1)


def test_small_inputs_clip_kernels_and_pools() -> None:
    layers = [_conv(kernel_size=7, prepool=True), _depthwise(kernel_size=5, prepool=True)]
    arch = _cnn(_serial(*layers), pooling=Pooling(PoolingKind.MAX, 6))
    graph = build_graph(arch, (7, 5, 2), 10)
    assert _shapes(graph) == {
        "block1_layer1_prepool": (1, 3, 2, 2),
        "block1_layer1_conv": (1, 2, 1, 8),  # kernel 2, not 7
        "block1_layer2_prepool": (1, 1, 1, 8),  # window 2x1
        "block1_layer2_dwconv": (1, 1, 1, 8),  # kernel 1
        "flatten": (1, 8),  # a pool of 1x1 is left out
        "dense1": (1, 16),
        "logits": (1, 10),
    }
    assert graph.operators[2].options == PoolOptions(2, 1, 2, 1)


def test_a_branch_reads_what_the_serial_block_reads_and_takes_on_its_channels() -> None:
    arch = _cnn(
        _serial(_conv(filters=6)),
        _serial(_pointwise(filters=12)),
        _parallel(_conv(filters=9), _conv(kernel_size=3, filters=77)),
        _parallel(_depthwise()),
    )
    graph = build_graph(arch, (16, 16, 3), 10)
    shapes = _shapes(graph)
    assert shapes["block3_layer1_conv"] == (1, 12, 12, 9)
    assert shapes["block3_layer2_conv"] == (1, 10, 10, 12)  # not 77
    assert shapes["block4_layer1_dwconv"] == (1, 12, 12, 6)
    assert shapes["block4_match"] == (1, 12, 12, 12)
    source = graph.operators[0].output
    readers = [graph.tensors[graph.operators[i].output].name for i in graph.consumers(source)]
    assert readers == ["block2_layer1_conv", "block3_layer1_conv", "block4_layer1_dwconv"]


def test_tying_up_pools_by_rounded_ratios_then_pads_then_adds_in_order() -> None:
    arch = _cnn(
        _serial(_pointwise(filters=4)),  # 14x14
        _parallel(_conv(kernel_size=3, stride=2)),  # 6x6
        _parallel(_conv(kernel_size=5)),  # 10x10
    )
    graph = build_graph(arch, (14, 14, 1), 10)
    shapes = _shapes(graph)
    # 14/6 and 10/6 round to 2; 6/6 is 1.
    assert shapes["tie1_pool1"] == (1, 7, 7, 4)
    assert "tie1_pool2" not in shapes
    assert shapes["tie1_pool3"] == (1, 5, 5, 4)
    assert shapes["tie1_pad2"] == shapes["tie1_pad3"] == (1, 7, 7, 4)
    assert "tie1_pad1" not in shapes
    by_name = {graph.tensors[op.output].name: op for op in graph.operators}
    assert by_name["tie1_pad2"].options == PadOptions(((0, 0), (0, 1), (0, 1), (0, 0)))
    first, second = by_name["tie1_add1"], by_name["tie1_add2"]
    assert [graph.tensors[x].name for x in first.inputs] == ["tie1_pool1", "tie1_pad2"]
    assert [graph.tensors[x].name for x in second.inputs] == ["tie1_add1", "tie1_pad3"]


def test_a_serial_block_reads_the_sum_and_later_branches_too() -> None:
    arch = _cnn(
        _serial(_pointwise(filters=4)),
        _parallel(_pointwise()),
        _serial(_conv(filters=5)),
        _parallel(_conv()),
    )
    graph = build_graph(arch, (8, 8, 1), 10)
    by_name = {graph.tensors[op.output].name: op for op in graph.operators}
    total = by_name["tie1_add1"].output
    assert by_name["block3_layer1_conv"].inputs[0] == total
    assert by_name["block4_layer1_conv"].inputs[0] == total
    assert _kinds(graph).count(_K.ADD) == 2


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (98, 40, 1), (3, 50, 2), (1, 1, 1)])
def test_every_architecture_can_be_built_on_every_input(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    wide = replace(CNN_SPACE, blocks=IntRange(10, 10), p_parallel=0.9)
    for space in [CNN_SPACE] * 40 + [wide] * 20:
        arch = random_architecture(rng, space)
        before = arch.sha256
        graph = build_graph(arch, shape, 10)
        assert arch.sha256 == before
        assert all(size >= 1 for tensor in graph.tensors for size in tensor.shape)
        assert graph.tensors[graph.inputs[0]].shape == (1, *shape)
        assert graph.tensors[graph.outputs[0]].shape == (1, 10)
        # Every operator's result is used: nothing is built in vain.
        for op in graph.operators:
            assert graph.consumers(op.output) or op.output in graph.outputs
        branches = sum(block.parallel for block in arch.blocks)
        assert _kinds(graph).count(_K.ADD) == branches


def test_an_mlp_is_flattened_first() -> None:
    arch = random_mlp(np.random.default_rng(0))
    graph = build_graph(arch, (28, 28, 1), 10)
    assert _kinds(graph) == [_K.RESHAPE] + [_K.FULLY_CONNECTED] * (len(arch.dense) + 1)
    assert _shapes(graph)["flatten"] == (1, 784)


@pytest.mark.parametrize(("shape", "classes"), [((0, 8, 1), 10), ((8, 8, 1), 1)])
def test_impossible_tasks_are_refused(shape: tuple[int, int, int], classes: int) -> None:
    with pytest.raises(ArchitectureError, match="at least"):
        build_graph(_cnn(_serial(_conv())), shape, classes)
