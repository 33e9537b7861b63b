# SPDX-License-Identifier: Apache-2.0
"""The kernels for Armv7E-M, their instructions emulated, against the plain ones: byte for byte."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests.firmware.random_graphs import ADD, Sketch, draw_network, draw_operator
from unas.graph import (
    ConvOptions,
    DenseOptions,
    ElementType,
    Graph,
    OperatorKind,
    Padding,
)
from unas.graph.window import conv_window
from unas.host.runtime import HostRun, run_on_host
from unas.tflite.writer import write_flatbuffer

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no host C compiler (cc)")

ARENA_BYTES = 1 << 20
CONVOLUTIONS, DENSE, OTHERS, NETWORKS = 2000, 1000, 100, 200
# The channels that a search space begins with, groups of four and what they leave.
CHANNELS = (1, 1, 2, 3, 3, 4, 5, 7, 8, 12, 13, 16, 20, 30, 33)


def _expect_equal(graph: Graph, seed: int, rng: np.random.Generator) -> tuple[HostRun, HostRun]:
    model = write_flatbuffer(graph, seed=seed, name="drawn").data
    data = rng.bytes(graph.tensors[graph.inputs[0]].elements)
    plain, dsp = (
        run_on_host(model, data, arena_bytes=ARENA_BYTES, kernels=kernels)
        for kernels in ("plain", "dsp")
    )
    assert dsp.output == plain.output, f"seed {seed}: {graph.operators}"
    return plain, dsp


def _draw_convolution(rng: np.random.Generator) -> Graph:
    sketch = Sketch(rng)
    channels = CHANNELS[rng.integers(len(CHANNELS))]
    x = sketch.input((1 if sketch.coin() else 2, sketch.below(8), sketch.below(8), channels))
    batch, height, width, _ = sketch.shape(x)
    kernel = (1, 1) if rng.random() < 0.3 else (sketch.below(8), sketch.below(8))
    options = ConvOptions(
        Padding.SAME, sketch.below(4), sketch.below(4), activation=sketch.activation()
    )
    if kernel[0] <= height and kernel[1] <= width and sketch.coin():
        options = ConvOptions(Padding.VALID, options.stride_h, options.stride_w)
    elif rng.random() < 0.2:
        options = ConvOptions(Padding.SAME, 1, 1, sketch.below(4), sketch.below(4))
    filters = sketch.below(14)
    weights = sketch.constant((filters, *kernel, channels))
    bias = sketch.constant((filters,), ElementType.INT32) if sketch.coin() else -1
    out = conv_window((height, width), kernel, options).output
    shape = (batch, *out, filters)
    y = sketch.append(OperatorKind.CONV_2D, (x, weights, bias), shape, options)
    return sketch.finish(y)


def _draw_dense(rng: np.random.Generator) -> Graph:
    sketch = Sketch(rng)
    features, units = sketch.below(70), sketch.below(24)
    x = sketch.input((sketch.below(9), features))
    weights = sketch.constant((units, features))
    bias = sketch.constant((units,), ElementType.INT32) if sketch.coin() else -1
    shape = (sketch.shape(x)[0], units)
    options = DenseOptions(sketch.activation())
    y = sketch.append(OperatorKind.FULLY_CONNECTED, (x, weights, bias), shape, options)
    return sketch.finish(y)


@pytest.mark.slow
def test_convolutions_of_any_shape_are_equal() -> None:
    in_place = 0
    for seed in range(CONVOLUTIONS):
        rng = np.random.default_rng([seed, 41])
        graph = _draw_convolution(rng)
        _, dsp = _expect_equal(graph, seed, rng)
        sizes = (graph.tensors[graph.inputs[0]].elements, graph.tensors[graph.outputs[0]].elements)
        in_place += dsp.tensor_bytes < sum(sizes)
    assert CONVOLUTIONS // 10 < in_place < CONVOLUTIONS  # both ways are on test


def test_dense_layers_of_any_shape_are_equal() -> None:
    for seed in range(DENSE):
        rng = np.random.default_rng([seed, 42])
        _expect_equal(_draw_dense(rng), seed, rng)


@pytest.mark.parametrize("kind", ADD)
def test_small_operators_of_every_kind_are_equal(kind: OperatorKind) -> None:
    for seed in range(OTHERS):
        rng = np.random.default_rng([seed, 43, list(ADD).index(kind)])
        _expect_equal(draw_operator(kind, rng), seed, rng)


def test_networks_are_equal_whatever_shares_its_bytes() -> None:
    """Outputs over inputs, and working memory in every hole that the plan leaves."""
    for seed in range(NETWORKS):
        rng = np.random.default_rng([seed, 44])
        _expect_equal(draw_network(rng, int(rng.integers(2, 14))), seed, rng)
