# SPDX-License-Identifier: Apache-2.0
"""Layouts of constants and shapes that the builder gives; what it refuses."""

from __future__ import annotations

import pytest

from unas.errors import ArchitectureError
from unas.graph import ConvOptions, MeanOptions, OperatorKind, Padding, PoolOptions
from unas.graph.builder import GraphBuilder


def test_constants_have_tflite_layouts() -> None:
    builder = GraphBuilder()
    x = builder.input("x", (1, 9, 7, 3))
    conv = builder.conv("c", x, filters=5, kernel=3, options=ConvOptions(stride_h=2, stride_w=2))
    depthwise = builder.depthwise("d", conv, kernel=2, options=ConvOptions(depth_multiplier=2))
    pool = builder.pool("p", OperatorKind.MAX_POOL_2D, depthwise, PoolOptions(2, 2, 2, 2))
    padded = builder.pad("q", pool, ((0, 0), (0, 1), (2, 0), (0, 0)))
    graph = builder.finish(builder.flatten("f", padded))
    shapes = {tensor.name: tensor.shape for tensor in graph.tensors}
    assert shapes == {
        "x": (1, 9, 7, 3),
        "c_kernel": (5, 3, 3, 3),
        "c_bias": (5,),
        "c": (1, 4, 3, 5),
        "d_kernel": (1, 2, 2, 10),
        "d_bias": (10,),
        "d": (1, 3, 2, 10),
        "p": (1, 1, 1, 10),
        "q_paddings": (4, 2),
        "q": (1, 2, 3, 10),
        "f_shape": (2,),
        "f": (1, 60),
    }


def test_kernels_need_not_be_square_and_a_mean_leaves_channels() -> None:
    builder = GraphBuilder()
    x = builder.input("x", (1, 9, 7, 3))
    options = ConvOptions(padding=Padding.SAME, stride_h=2)
    conv = builder.conv("c", x, filters=5, kernel=(3, 1), options=options)
    depthwise = builder.depthwise("d", conv, kernel=(2, 4), options=ConvOptions())
    graph = builder.finish(builder.mean("m", depthwise))
    shapes = {tensor.name: tensor.shape for tensor in graph.tensors}
    assert shapes["c_kernel"] == (5, 3, 1, 3)
    assert shapes["c"] == (1, 5, 7, 5)
    assert shapes["d_kernel"] == (1, 2, 4, 5)
    assert shapes["d"] == (1, 4, 4, 5)
    assert shapes["m_axes"] == (2,)
    assert shapes["m"] == (1, 5)
    assert graph.operators[-1].options == MeanOptions((1, 2))


def test_sums_of_different_shapes_are_refused() -> None:
    builder = GraphBuilder()
    x, y = builder.input("x", (1, 4, 4, 2)), builder.input("y", (1, 4, 4, 3))
    with pytest.raises(ArchitectureError, match="pool or pad"):
        builder.add("sum", x, y)


def test_names_are_unique() -> None:
    builder = GraphBuilder()
    builder.input("x", (1, 4))
    with pytest.raises(ArchitectureError, match="two tensors are called x"):
        builder.input("x", (1, 4))
