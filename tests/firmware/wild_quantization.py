# SPDX-License-Identifier: Apache-2.0
"""Rewrites a model's quantisation with values that no sane converter would write.

The exporter draws scales that keep a network alive. Kernels must also agree where outputs saturate,
factors exceed one, zero points lie at the ends and weights have one scale for all channels (WILD);
and where a result lies near a half, so that a factor computed in single instead of double
precision rounds to the other side (TIES): scales that are multiples of 0.1, and small sums.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray

from unas.graph import OperatorKind

# Kinds whose input and output must share their parameters.
_TIED = frozenset(
    {
        OperatorKind.AVERAGE_POOL_2D,
        OperatorKind.MAX_POOL_2D,
        OperatorKind.CONCATENATION,
        OperatorKind.RELU6,
    }
)
_WEIGHTED = frozenset(
    {OperatorKind.CONV_2D, OperatorKind.DEPTHWISE_CONV_2D, OperatorKind.FULLY_CONNECTED}
)
_INT8 = 9


class Mode(Enum):
    """What to draw."""

    WILD = auto()
    TIES = auto()


def rewrite_quantization(
    model: bytes, kind: OperatorKind, mode: Mode, schema: Any, rng: np.random.Generator
) -> bytes:
    """Another model of the same operators.

    Args:
        model: A model with one operator of a kind, and perhaps others before it.
        kind: The operator.
        mode: What values to draw.
        schema: Module with TFLite's schema as objects (``schema_py_generated``).
        rng: Source of the new values.
    """
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    graph = tree.subgraphs[0]
    shared = _draw(mode, rng)
    free = list(graph.tensors)
    if kind is OperatorKind.SOFTMAX:  # its output has 1/256 and -128, always
        free.remove(graph.tensors[graph.outputs[0]])
    for tensor in free:
        if tensor.type == _INT8 and len(tensor.quantization.scale) == 1:
            _set(tensor, *(shared if kind in _TIED else _draw(mode, rng)))
    if kind in _WEIGHTED:
        _rewrite_weights(tree, graph, mode, rng)
    builder = flatbuffers.Builder(len(model) + 4096)
    builder.Finish(tree.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _draw(mode: Mode, rng: np.random.Generator) -> tuple[np.float32, int]:
    ends = (-128, 0, 127)
    zero_point = ends[rng.integers(3)] if rng.random() < 0.3 else int(rng.integers(-128, 128))
    return _draw_scales(mode, rng, 1, -7.0, 1.0)[0], zero_point


def _draw_scales(
    mode: Mode, rng: np.random.Generator, count: int, low: float, high: float
) -> NDArray[np.float32]:
    """Powers of two between two exponents, at times from far outside; or multiples of 0.1."""
    if mode is Mode.TIES:
        return (0.1 * rng.integers(1, 13, count)).astype(np.float32)
    if rng.random() < 0.1:
        low, high = low - 16.0, high + 4.0
    return np.exp2(rng.uniform(low, high, count)).astype(np.float32)


def _set(tensor: Any, scale: np.float32, zero_point: int) -> None:
    tensor.quantization.scale = np.array([scale], np.float32)
    tensor.quantization.zeroPoint = np.array([zero_point], np.int64)


def _rewrite_weights(tree: Any, graph: Any, mode: Mode, rng: np.random.Generator) -> None:
    operator = graph.operators[-1]
    data, weights = (graph.tensors[i] for i in operator.inputs[:2])
    channels = len(weights.quantization.scale)
    count = 1 if rng.random() < 0.5 else channels
    scale = _draw_scales(mode, rng, count, -12.0, -2.0)
    weights.quantization.scale = scale
    weights.quantization.zeroPoint = np.zeros(count, np.int64)
    reach = 2**16
    if mode is Mode.TIES:
        reach = 50
        small = rng.integers(-1, 2, int(np.prod(weights.shape)), np.int8)
        tree.buffers[weights.buffer].data = np.frombuffer(small.tobytes(), np.uint8)
    if len(operator.inputs) == 3 and operator.inputs[2] != -1:
        bias = graph.tensors[operator.inputs[2]]
        bias.quantization.scale = data.quantization.scale * scale
        bias.quantization.zeroPoint = np.zeros(count, np.int64)
        values = rng.integers(-reach, reach, bias.shape[0], np.int32)
        tree.buffers[bias.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
