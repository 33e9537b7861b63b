# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions and pools for Armv7E-M against the plain ones and TensorFlow Lite Micro.

The kernels take channels in blocks of four and what is left, filters of 1, 3, 5 and 7 columns and
others, windows that the border clips, taps that never meet the image, and outputs over inputs.
"""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests.firmware.random_graphs import Sketch
from unas.graph import (
    ConvOptions,
    ElementType,
    Graph,
    MeanOptions,
    OperatorKind,
    Padding,
    PoolOptions,
)
from unas.graph.window import conv_window, pool_window
from unas.host.reference import reference_output
from unas.host.runtime import HostRun, run_on_host
from unas.tflite.writer import write_flatbuffer

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no host C compiler (cc)")

ARENA_BYTES = 1 << 20
DEPTHWISE, POOLS, MEANS = 2500, 600, 200
GOLDEN_STEP = 8  # of so many, one is compared with TensorFlow Lite Micro too
CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 17)
MULTIPLIERS = (1, 1, 1, 2, 3, 4, 5, 8)
LONG = 300  # taps in a row: more than 16 bits can sum


def _expect_equal(graph: Graph, seed: int, rng: np.random.Generator) -> HostRun:
    model = write_flatbuffer(graph, seed=seed, name="drawn").data
    data = rng.bytes(graph.tensors[graph.inputs[0]].elements)
    plain, dsp = (
        run_on_host(model, data, arena_bytes=ARENA_BYTES, kernels=kernels)
        for kernels in ("plain", "dsp")
    )
    assert dsp.output == plain.output, f"seed {seed}: {graph.operators}"
    if seed % GOLDEN_STEP == 0:
        assert dsp.output == reference_output(model, data).output, f"seed {seed}: {graph.operators}"
    return dsp


def _draw_depthwise(rng: np.random.Generator) -> Graph:
    sketch = Sketch(rng)
    channels = CHANNELS[rng.integers(len(CHANNELS))]
    multiplier = MULTIPLIERS[rng.integers(len(MULTIPLIERS))]
    x = sketch.input((1 if rng.random() < 0.8 else 2, sketch.below(9), sketch.below(9), channels))
    batch, height, width, _ = sketch.shape(x)
    square = sketch.below(8)
    kernel = (square, square) if sketch.coin() else (sketch.below(8), sketch.below(8))
    dilations = (1, 1) if rng.random() < 0.7 else (sketch.below(4), sketch.below(4))
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    fits = reach[0] <= height and reach[1] <= width
    options = ConvOptions(
        Padding.VALID if fits and sketch.coin() else Padding.SAME,
        1 if sketch.coin() else sketch.below(4),
        1 if sketch.coin() else sketch.below(4),
        dilations[0],
        dilations[1],
        depth_multiplier=multiplier,
        activation=sketch.activation(),
    )
    filters = channels * multiplier
    bias = (sketch.constant((filters,), ElementType.INT32),) if rng.random() < 0.8 else ()
    inputs = (x, sketch.constant((1, *kernel, filters)), *bias)
    shape = (batch, *conv_window((height, width), kernel, options).output, filters)
    return sketch.finish(sketch.append(OperatorKind.DEPTHWISE_CONV_2D, inputs, shape, options))


def _draw_pool(rng: np.random.Generator, kind: OperatorKind) -> Graph:
    sketch = Sketch(rng)
    channels = CHANNELS[rng.integers(len(CHANNELS))]
    sizes = (sketch.below(20), sketch.below(20))
    if rng.random() < 0.05:
        sizes = (sketch.below(3), LONG)
    x = sketch.input((1, *sizes, channels))
    window = sizes if rng.random() < 0.3 else (sketch.below(6), sketch.below(6))
    fits = window[0] <= sizes[0] and window[1] <= sizes[1]
    padding = Padding.VALID if fits and sketch.coin() else Padding.SAME
    strides = (sketch.below(4), sketch.below(4))
    options = PoolOptions(*window, *strides, padding, activation=sketch.activation())
    shape = (1, *pool_window(sizes, options).output, channels)
    return sketch.finish(sketch.append(kind, (x,), shape, options))


def test_depthwise_convolutions_of_any_shape_are_equal() -> None:
    in_place = possible = 0
    for seed in range(DEPTHWISE):
        rng = np.random.default_rng([seed, 51])
        graph = _draw_depthwise(rng)
        dsp = _expect_equal(graph, seed, rng)
        sizes = (graph.tensors[graph.inputs[0]].elements, graph.tensors[graph.outputs[0]].elements)
        possible += sizes[0] > 64 and sizes[1] > 64
        in_place += dsp.tensor_bytes < sum(sizes)
    assert in_place > possible // 3  # multiplier 1; else it would be on test too little


@pytest.mark.parametrize("kind", [OperatorKind.AVERAGE_POOL_2D, OperatorKind.MAX_POOL_2D])
def test_pools_of_any_shape_are_equal(kind: OperatorKind) -> None:
    for seed in range(POOLS):
        rng = np.random.default_rng([seed, 52])
        _expect_equal(_draw_pool(rng, kind), seed, rng)


def test_means_over_images_are_equal() -> None:
    for seed in range(MEANS):
        rng = np.random.default_rng([seed, 53])
        sketch = Sketch(rng)
        sizes = (1, LONG) if seed % 20 == 0 else (sketch.below(20), sketch.below(20))
        channels = CHANNELS[rng.integers(len(CHANNELS))]
        x = sketch.input((1 if sketch.coin() else 2, *sizes, channels))
        axes = sketch.constant((2,), ElementType.INT32)
        shape = (sketch.shape(x)[0], channels)
        y = sketch.append(OperatorKind.MEAN, (x, axes), shape, MeanOptions((1, 2), False))
        _expect_equal(sketch.finish(y), seed, rng)
