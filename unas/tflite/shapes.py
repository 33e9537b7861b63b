# SPDX-License-Identifier: Apache-2.0
"""Output shapes, from TFLite's rules: to check what a file claims."""

from __future__ import annotations

import math

from unas.graph import (
    ConcatenationOptions,
    ConvOptions,
    DenseOptions,
    MeanOptions,
    OperatorKind,
    Options,
    PadOptions,
    PoolOptions,
    ReshapeOptions,
)
from unas.graph.window import conv_window, pool_window

Shape = tuple[int, ...]


def output_shape(kind: OperatorKind, options: Options, inputs: list[Shape]) -> Shape | None:
    """Shape of an operator's output.

    Args:
        kind: The operator.
        options: Its options; counts in them are positive.
        inputs: Shapes of its inputs in TFLite's order, without absent ones.

    Returns:
        None if the operator cannot take inputs of these shapes.

    Raises:
        ArchitectureError: A window is larger than its input.
    """
    data = inputs[0]
    match options:
        case ConvOptions():
            return _convolved(kind, options, inputs)
        case PoolOptions():
            return _pooled(options, data)
        case DenseOptions():
            return _dense(inputs)
        case PadOptions(paddings=paddings):
            fits = len(paddings) == len(data)
            return (
                tuple(n + a + b for n, (a, b) in zip(data, paddings, strict=True)) if fits else None
            )
        case MeanOptions(axes=axes, keep_dims=keep):
            kept = [1 if i in axes else n for i, n in enumerate(data) if keep or i not in axes]
            return tuple(kept) if max(axes, default=0) < len(data) else None
        case ReshapeOptions(new_shape=shape):
            return shape if math.prod(shape) == math.prod(data) else None
        case ConcatenationOptions(axis=axis):
            return _concatenated(axis, inputs)
        case _ if kind is OperatorKind.ADD:
            return _broadcast(inputs)
        case _:
            return data


def _convolved(kind: OperatorKind, options: ConvOptions, inputs: list[Shape]) -> Shape | None:
    if len(inputs) < 2 or len(inputs[0]) != 4 or len(inputs[1]) != 4:
        return None
    (batch, height, width, channels), kernel = inputs[0], inputs[1]
    depthwise = kind is OperatorKind.DEPTHWISE_CONV_2D
    filters = kernel[3] if depthwise else kernel[0]
    taken = (1, channels * options.depth_multiplier) if depthwise else (filters, channels)
    if (kernel[0], kernel[3]) != taken or inputs[2:] not in ([], [(filters,)]):
        return None
    window = conv_window((height, width), kernel[1:3], options)
    return (batch, *window.output, filters)


def _pooled(options: PoolOptions, data: Shape) -> Shape | None:
    if len(data) != 4:
        return None
    return (data[0], *pool_window(data[1:3], options).output, data[3])


def _dense(inputs: list[Shape]) -> Shape | None:
    if len(inputs) < 2 or len(inputs[1]) != 2:
        return None
    units, features = inputs[1]
    elements = math.prod(inputs[0])
    fits = elements % features == 0 and inputs[2:] in ([], [(units,)])
    return (elements // features, units) if fits else None


def _concatenated(axis: int, inputs: list[Shape]) -> Shape | None:
    first = inputs[0]
    others = {(len(s), s[:axis], s[axis + 1 :]) for s in inputs}
    if len(others) != 1 or not 0 <= axis < len(first):
        return None
    return (*first[:axis], sum(s[axis] for s in inputs), *first[axis + 1 :])


def _broadcast(inputs: list[Shape]) -> Shape | None:
    if len(inputs) != 2:
        return None
    rank = max(map(len, inputs))
    left, right = ((1,) * (rank - len(s)) + s for s in inputs)
    fits = all(a == b or 1 in (a, b) for a, b in zip(left, right, strict=True))
    return tuple(map(max, left, right)) if fits else None
