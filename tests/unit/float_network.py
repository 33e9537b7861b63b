# SPDX-License-Identifier: Apache-2.0
"""A float interpreter of graphs, slow and plain: what changes of a network must not change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unas.graph import (
    Activation,
    ConcatenationOptions,
    ConvOptions,
    Graph,
    MeanOptions,
    Operator,
    OperatorKind,
    Padding,
    PadOptions,
    PoolOptions,
)

Array = NDArray[np.float64]


def random_constants(graph: Graph, seed: int) -> dict[int, Array]:
    """Values of every kernel and bias, in TFLite's layout."""
    rng = np.random.default_rng(seed)
    weighted = [op for op in graph.operators if len(op.inputs) == 3]
    indices = [i for op in weighted for i in op.inputs[1:] if i != -1]
    return {i: rng.standard_normal(graph.tensors[i].shape) for i in indices}


def run_float(graph: Graph, constants: dict[int, Array], data: Array) -> dict[int, Array]:
    """All activations of the network."""
    values = {graph.inputs[0]: data}
    for op in graph.operators:
        values[op.output] = _activated(op, _compute(graph, op, values, constants))
        assert values[op.output].shape == graph.tensors[op.output].shape
    return values


def _activated(op: Operator, x: Array) -> Array:
    activation = getattr(op.options, "activation", Activation.NONE)
    return np.maximum(x, 0) if activation is Activation.RELU else x


def _compute(
    graph: Graph, op: Operator, values: dict[int, Array], constants: dict[int, Array]
) -> Array:
    x = values[op.inputs[0]]
    out_shape = graph.tensors[op.output].shape
    match op.options:
        case ConvOptions() as conv:
            kernel, bias = (constants[i] for i in op.inputs[1:])
            strides = (conv.stride_h, conv.stride_w)
            patches = _patches(x, kernel.shape[1:3], strides, conv.padding, out_shape, 0.0)
            if op.kind is OperatorKind.DEPTHWISE_CONV_2D:
                patches = np.repeat(patches, conv.depth_multiplier, axis=-1)
                return np.asarray(np.einsum("yxhwc,hwc->yxc", patches, kernel[0])[None] + bias)
            return np.asarray(np.einsum("yxhwi,ohwi->yxo", patches, kernel)[None] + bias)
        case PoolOptions() as pool:
            size, strides = (pool.filter_h, pool.filter_w), (pool.stride_h, pool.stride_w)
            patches = _patches(x, size, strides, pool.padding, out_shape, np.nan)
            best = np.nanmax if op.kind is OperatorKind.MAX_POOL_2D else np.nanmean
            return np.asarray(best(patches, axis=(2, 3)))[None]
        case PadOptions(paddings=paddings):
            return np.pad(x, paddings)
        case MeanOptions(axes=axes, keep_dims=keep):
            return np.asarray(x.mean(axis=axes, keepdims=keep))
        case ConcatenationOptions(axis=axis):
            return np.concatenate([values[i] for i in op.inputs], axis)
    if op.kind is OperatorKind.ADD:
        return x + values[op.inputs[1]]
    if op.kind is OperatorKind.RESHAPE:
        return x.reshape(out_shape)
    assert op.kind is OperatorKind.FULLY_CONNECTED, op.kind
    kernel, bias = (constants[i] for i in op.inputs[1:])
    return np.asarray(x.reshape(1, -1) @ kernel.T + bias)


def _patches(
    x: Array,
    size: tuple[int, ...],
    strides: tuple[int, int],
    padding: Padding,
    out: tuple[int, ...],
    fill: float,
) -> Array:
    """The windows (y, x, height, width, channel); TensorFlow's SAME pads the odd one behind."""
    if padding is Padding.SAME:
        total = [
            max((n - 1) * s + k - m, 0)
            for n, s, k, m in zip(out[1:3], strides, size, x.shape[1:3], strict=True)
        ]
        spatial = [(t // 2, t - t // 2) for t in total]
        x = np.pad(x, [(0, 0), *spatial, (0, 0)], constant_values=fill)
    rows = [
        [x[0, y * strides[0] :, c * strides[1] :][: size[0], : size[1]] for c in range(out[2])]
        for y in range(out[1])
    ]
    return np.array(rows)
