# SPDX-License-Identifier: Apache-2.0
"""The wider space: draws reach every value, and every network builds on every input."""

from __future__ import annotations

import copy
import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.memory_oracle import MemoryOracle
from unas.architecture import (
    CnnPlusArchitecture,
    Connection,
    DenseLayer,
    FinalPooling,
    FinalPoolingKind,
    LayerPadding,
    LayerType,
    PlusBlock,
    PlusLayer,
    architecture_from_json_dict,
)
from unas.errors import ArchitectureError, ConfigError
from unas.graph import ConvOptions, Graph, MeanOptions, OperatorKind, Padding
from unas.resources.counts import macs, paper_macs
from unas.resources.order_search import peak_memory
from unas.space.build import build_graph
from unas.space.cnn import CNN_SPACE, random_architecture
from unas.space.cnn_plus import (
    CNN_PLUS_1D_SPACE,
    CNN_PLUS_SPACE,
    CnnPlusSpace,
    random_cnn_plus,
)
from unas.space.ranges import IntRange

_K = OperatorKind
_SHAPES = [(8, 8, 1), (28, 28, 1), (49, 40, 1), (32, 32, 3), (128, 1, 9), (2, 5, 3), (1, 1, 1)]


def _layer(kind: LayerType = LayerType.CONV, **genes: Any) -> PlusLayer:
    window = {"kernel_h": 3, "kernel_w": 3, "stride_h": 1, "stride_w": 1}
    layer = PlusLayer(
        type=LayerType.CONV,
        **window,
        filters=8,
        padding=LayerPadding.SAME,
        prepool=False,
        batch_norm=False,
        relu=True,
    )
    if kind is LayerType.POINTWISE:
        genes |= {"kernel_h": 1, "kernel_w": 1, "padding": LayerPadding.VALID}
    if kind is LayerType.DEPTHWISE:
        genes |= {"filters": None}
    return replace(layer, type=kind, **genes)


def _serial(*layers: PlusLayer) -> PlusBlock:
    return PlusBlock(Connection.SERIAL, layers)


def _residual(*layers: PlusLayer) -> PlusBlock:
    return PlusBlock(Connection.RESIDUAL, layers)


def _graph(
    *blocks: PlusBlock, pooling: FinalPooling | None = None, shape: tuple[int, int, int]
) -> Graph:
    return build_graph(CnnPlusArchitecture(blocks, pooling, ()), shape, 10)


def _shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    tensors = (graph.tensors[op.output] for op in graph.operators)
    return {tensor.name: tensor.shape for tensor in tensors}


def _assert_share(values: Iterable[object], value: object, probability: float) -> None:
    """Within five standard deviations."""
    counts = Counter(values)
    total = counts.total()
    spread = math.sqrt(total * probability * (1 - probability))
    assert abs(counts[value] - total * probability) < 5 * spread


def test_draws_have_their_probabilities_and_reach_every_value() -> None:
    rng, space = np.random.default_rng(0), CNN_PLUS_SPACE
    archs = [random_cnn_plus(rng) for _ in range(1500)]
    for arch in archs:
        space.validate(arch)
    later = [block.connection for arch in archs for block in arch.blocks[1:]]
    _assert_share(later, Connection.PARALLEL, space.p_parallel)
    _assert_share(later, Connection.RESIDUAL, space.p_residual)
    layers = [x for arch in archs for block in arch.blocks for x in block.layers]
    windows = [x for x in layers if x.type is not LayerType.POINTWISE]
    kernels = Counter((x.kernel_h, x.kernel_w) for x in windows)
    assert set(kernels) == set(space.kernels)
    assert (1, 1) not in kernels
    square = space.p_square + (1 - space.p_square) * 3 / len(space.kernels)
    _assert_share((x.kernel_h == x.kernel_w for x in windows), True, square)
    convs = [x for x in layers if x.type is LayerType.CONV]
    assert {(x.stride_h, x.stride_w) for x in convs} == {(1, 1), (1, 2), (2, 1), (2, 2)}
    _assert_share((x.padding for x in windows), LayerPadding.SAME, space.p_same)
    _assert_share((x.pooling is None for x in archs), True, 1 - space.p_pooling)
    pools = [x.pooling for x in archs if x.pooling is not None]
    for kind in FinalPoolingKind:
        _assert_share((x.kind for x in pools), kind, 1 / 3)
    assert {len(x.dense) for x in archs} == {0, 1, 2, 3}
    assert {len(x.blocks) for x in archs} == set(range(1, 11))


@pytest.mark.parametrize("shape", _SHAPES)
@pytest.mark.parametrize("space", [CNN_PLUS_SPACE, CNN_PLUS_1D_SPACE])
def test_every_architecture_can_be_built_on_every_input(
    space: CnnPlusSpace, shape: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(1)
    wide = replace(space, blocks=IntRange(10, 10), p_parallel=0.5, p_residual=0.4)
    for ranges in [space] * 25 + [wide] * 15:
        arch = random_cnn_plus(rng, ranges)
        before = arch.sha256
        graph = build_graph(arch, shape, 10)
        assert arch.sha256 == before
        assert all(size >= 1 for tensor in graph.tensors for size in tensor.shape)
        assert graph.tensors[graph.outputs[0]].shape == (1, 10)
        for op in graph.operators:
            assert graph.consumers(op.output) or op.output in graph.outputs
        summands = sum(x.connection is not Connection.SERIAL for x in arch.blocks)
        assert sum(op.kind is _K.ADD for op in graph.operators) == summands


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([(28, 28, 1), (32, 32, 3), (9, 9, 2), (1, 1, 1)]))
def test_it_holds_all_of_cnn(seed: int, shape: tuple[int, int, int]) -> None:
    """On square inputs: on others a square kernel may be clipped to one that is not."""
    small = replace(CNN_SPACE, blocks=IntRange(1, 10), p_parallel=0.4)
    arch = random_architecture(np.random.default_rng(seed), small)
    wide = CnnPlusArchitecture.from_cnn(arch)
    CNN_PLUS_SPACE.validate(wide)
    expected = build_graph(arch, shape, 5)
    windows = [t for t in expected.tensors if not t.constant and len(t.shape) == 4]
    if all(t.shape[1] == t.shape[2] for t in windows):
        assert build_graph(wide, shape, 5) == expected


def test_a_shortcut_adds_the_block_s_input_to_its_output() -> None:
    graph = _graph(
        _serial(_layer(filters=6)),
        _residual(_layer(filters=99), _layer(filters=33)),
        shape=(12, 10, 3),
    )
    shapes = _shapes(graph)
    assert shapes["block2_layer1_conv"] == (1, 12, 10, 99)
    assert shapes["block2_layer2_conv"] == (1, 12, 10, 6)  # as many as it has to be added to
    (add,) = [op for op in graph.operators if op.kind is _K.ADD]
    assert [graph.tensors[x].name for x in add.inputs] == [
        "block2_layer2_conv",
        "block1_layer1_conv",
    ]
    assert add.kind is _K.ADD
    assert not any(op.kind is _K.PAD for op in graph.operators)


def test_a_shortcut_around_depthwise_layers_costs_no_convolution() -> None:
    depthwise = _layer(LayerType.DEPTHWISE)
    shapes = _shapes(
        _graph(
            _serial(_layer(filters=6)),
            _residual(depthwise),
            _residual(_layer(filters=9), depthwise),
            shape=(12, 10, 3),
        )
    )
    assert "block2_match" not in shapes
    assert shapes["block3_match"] == (1, 12, 10, 6)


def test_a_shortcut_around_a_stride_is_pooled_like_a_branch() -> None:
    strided = _layer(stride_h=2, stride_w=2)
    graph = _graph(_serial(_layer(filters=6)), _residual(strided), shape=(12, 10, 3))
    assert _shapes(graph)["tie1_pool2"] == (1, 6, 5, 6)
    assert _shapes(graph)["tie1_add1"] == (1, 6, 5, 6)


def test_branches_beside_a_shortcut_join_the_same_sum() -> None:
    branch = PlusBlock(Connection.PARALLEL, (_layer(filters=77),))
    graph = _graph(_serial(_layer(filters=6)), _residual(_layer()), branch, shape=(8, 8, 3))
    adds = [op for op in graph.operators if op.kind is _K.ADD]
    assert [[graph.tensors[x].name for x in op.inputs] for op in adds] == [
        ["block2_layer1_conv", "block1_layer1_conv"],
        ["tie1_add1", "block3_layer1_conv"],
    ]


def test_windows_need_not_be_square() -> None:
    layer = _layer(kernel_h=5, kernel_w=1, stride_h=2, stride_w=1, filters=4)
    valid = replace(layer, padding=LayerPadding.VALID)
    graph = _graph(_serial(layer, valid), shape=(20, 3, 2))
    first, second = graph.operators[:2]
    assert isinstance(first.options, ConvOptions)
    assert first.options.padding is Padding.SAME
    assert (first.options.stride_h, first.options.stride_w) == (2, 1)
    assert second.options == replace(first.options, padding=Padding.VALID)
    assert graph.tensors[first.inputs[1]].shape == (4, 5, 1, 2)
    shapes = _shapes(graph)
    assert shapes["block1_layer1_conv"] == (1, 10, 3, 4)
    assert shapes["block1_layer2_conv"] == (1, 3, 3, 4)


def test_sequences_keep_their_kernels_along_the_one_axis() -> None:
    graph = _graph(_serial(_layer(kernel_h=7, kernel_w=5)), shape=(128, 1, 9))
    assert graph.tensors[graph.operators[0].inputs[1]].shape == (8, 7, 1, 9)
    rng = np.random.default_rng(0)
    for _ in range(50):
        graph = build_graph(random_cnn_plus(rng, CNN_PLUS_1D_SPACE), (128, 1, 9), 6)
        assert all(t.shape[2] == 1 for t in graph.tensors if len(t.shape) == 4)


def test_a_global_average_is_a_mean_without_flattening() -> None:
    pooling = FinalPooling(FinalPoolingKind.GLOBAL_AVERAGE, None)
    graph = _graph(_serial(_layer(filters=6)), pooling=pooling, shape=(8, 6, 1))
    assert [op.kind for op in graph.operators] == [_K.CONV_2D, _K.MEAN, _K.FULLY_CONNECTED]
    assert graph.operators[1].options == MeanOptions((1, 2))
    assert _shapes(graph)["pooling"] == (1, 6)
    graph = _graph(_serial(_layer(filters=6)), pooling=pooling, shape=(1, 1, 1))
    assert [op.kind for op in graph.operators] == [_K.CONV_2D, _K.RESHAPE, _K.FULLY_CONNECTED]


def test_a_global_average_costs_what_an_average_over_all_costs() -> None:
    """Convolutions apart: 8x8 pixels of 6 channels, by a MEAN and by one window of size 8."""
    kinds = FinalPoolingKind
    pools = [FinalPooling(kinds.GLOBAL_AVERAGE, None), FinalPooling(kinds.AVERAGE, 8)]
    graphs = [_graph(_serial(_layer(filters=6)), pooling=x, shape=(8, 8, 1)) for x in pools]
    assert [graph.operators[1].kind for graph in graphs] == [_K.MEAN, _K.AVERAGE_POOL_2D]
    assert paper_macs(graphs[0]) == paper_macs(graphs[1]) > macs(graphs[0]) == macs(graphs[1])


def test_peak_memory_is_exact_with_shortcuts() -> None:
    rng = np.random.default_rng(7)
    ranges = replace(CNN_PLUS_SPACE, blocks=IntRange(3, 5), p_residual=0.5)
    for _ in range(8):
        graph = build_graph(random_cnn_plus(rng, ranges), (16, 16, 3), 4)
        oracle = MemoryOracle(graph, count_input=True, in_place_add=False)
        found = peak_memory(graph, count_input=True, in_place_add=False)
        assert found.bytes == oracle.lowest_peak_of_all_sets()


def test_json_gives_back_the_same_architecture() -> None:
    rng = np.random.default_rng(0)
    archs = [random_cnn_plus(rng) for _ in range(50)]
    for arch in archs:
        again = architecture_from_json_dict(json.loads(json.dumps(arch.to_json_dict())))
        assert again == arch
        assert again.sha256 == arch.sha256
    assert len({arch.sha256 for arch in archs}) == len(archs)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["blocks", 0, "connection"], "residual", "first block"),
        (["blocks", 0, "connection"], "concat", "'connection' is 'concat'"),
        (["blocks", 0, "layers", 0, "padding"], "full", "'padding' is 'full'"),
        (["blocks", 0, "layers", 0, "kernel_h"], 0, "below 1"),
        (["blocks", 0, "layers", 0, "kernel_w"], 3.0, "must be a whole number"),
        (["pooling", "size"], None, "give a size"),
        (["pooling", "kind"], "global average", "has none"),
        (["colour"], 1, "unknown"),
    ],
)
def test_reading_is_strict(path: list[Any], value: object, message: str) -> None:
    pooling = FinalPooling(FinalPoolingKind.MAX, 4)
    arch = CnnPlusArchitecture((_serial(_layer()),), pooling, (DenseLayer(32),))
    data: Any = copy.deepcopy(arch.to_json_dict())
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ArchitectureError, match=message):
        architecture_from_json_dict(data)


def test_genes_must_go_together() -> None:
    with pytest.raises(ArchitectureError, match="all are 1 there"):
        _layer(LayerType.POINTWISE, stride_h=2)
    with pytest.raises(ArchitectureError, match="trains only equal ones"):
        _layer(LayerType.DEPTHWISE, stride_h=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"connections": (Connection.RESIDUAL,)}, "lack serial"),
        ({"kernel_heights": (1,), "kernel_widths": (1,)}, "no kernel"),
        ({"blocks": IntRange(0, 3)}, "fewer than 1"),
        ({"p_parallel": 0.6, "p_residual": 0.5}, "0.6 and p_residual 0.5, together more"),
    ],
)
def test_a_space_without_networks_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(CNN_PLUS_SPACE, **changes)


def test_every_later_block_may_be_parallel_or_residual() -> None:
    space = replace(CNN_PLUS_SPACE, blocks=IntRange(9, 9), p_parallel=0.3, p_residual=0.7)
    drawn = random_cnn_plus(np.random.default_rng(0), space)
    assert Connection.SERIAL not in {block.connection for block in drawn.blocks[1:]}


def test_what_a_variant_leaves_out_never_comes() -> None:
    ranges = replace(
        CNN_PLUS_SPACE,
        connections=(Connection.SERIAL, Connection.RESIDUAL),
        paddings=(LayerPadding.SAME,),
        pooling_kinds=(FinalPoolingKind.GLOBAL_AVERAGE,),
    )
    rng = np.random.default_rng(0)
    for _ in range(100):
        ranges.validate(random_cnn_plus(rng, ranges))
    parallel = PlusBlock(Connection.PARALLEL, (_layer(),))
    arch = CnnPlusArchitecture((_serial(_layer()), parallel), None, ())
    with pytest.raises(ArchitectureError, match=r"blocks\[1\]: connection is parallel"):
        ranges.validate(arch)
