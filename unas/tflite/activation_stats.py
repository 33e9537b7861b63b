# SPDX-License-Identifier: Apache-2.0
"""Mean and standard deviation of activations, followed through a network without running it.

Elements count as independent and normally distributed, which is wrong in detail and right enough to
choose scales by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from unas.graph import (
    Activation,
    AddOptions,
    ConcatenationOptions,
    ConvOptions,
    DenseOptions,
    Graph,
    Operator,
    OperatorKind,
    PoolOptions,
)

# Biases are drawn from +-half a standard deviation of what they are added to.
BIAS_SHARE = 0.5
# A mean over many elements keeps the differences between channels, which independence would lose.
_MAX_AVERAGED = 16


@dataclass(frozen=True, slots=True)
class ActivationStats:
    """Real-valued statistics of one activation tensor.

    Attributes:
        mean: Mean of its elements.
        std: Their standard deviation.
        low: No element is below this.
        high: No element is above this.
    """

    mean: float
    std: float
    low: float = -math.inf
    high: float = math.inf


def draw_activation_stats(rng: np.random.Generator) -> ActivationStats:
    """Of a network input: uniform over a drawn range that contains zero and is 0.25 to 8 wide."""
    width = float(np.exp2(rng.uniform(-2.0, 3.0)))
    low = -width * float(rng.uniform())
    return ActivationStats(low + width / 2, width / math.sqrt(12.0), low, low + width)


def output_stats(
    graph: Graph, op: Operator, known: Mapping[int, ActivationStats], gain: float
) -> ActivationStats:
    """Statistics of an operator's output.

    Args:
        graph: The network.
        op: One of its operators.
        known: Statistics of the activations before it, by tensor.
        gain: Factor by which the kernel changes the variance; 1 for operators without kernel.
    """
    inputs = [known[i] for i in op.inputs if i in known]
    return _activated(_linear(graph, op, inputs, gain), _activation(op))


def _linear(
    graph: Graph, op: Operator, inputs: list[ActivationStats], gain: float
) -> ActivationStats:
    first = inputs[0]
    match op.kind:
        case OperatorKind.CONV_2D | OperatorKind.DEPTHWISE_CONV_2D | OperatorKind.FULLY_CONNECTED:
            square = gain * (first.mean**2 + first.std**2)
            return ActivationStats(0.0, math.sqrt(square * (1.0 + BIAS_SHARE**2 / 3.0)))
        case OperatorKind.ADD:
            return ActivationStats(
                sum(s.mean for s in inputs), math.hypot(*(s.std for s in inputs))
            )
        case OperatorKind.CONCATENATION:
            mean = sum(s.mean for s in inputs) / len(inputs)
            square = sum(s.mean**2 + s.std**2 for s in inputs) / len(inputs)
            return ActivationStats(mean, math.sqrt(max(square - mean**2, 0.0)))
        case OperatorKind.MAX_POOL_2D:
            window = _window(op)
            lift = first.std * math.sqrt(math.log(window))
            return replace(first, mean=min(first.mean + lift, first.high))
        case OperatorKind.MEAN:
            taken = graph.tensors[op.inputs[0]].elements // graph.tensors[op.output].elements
            return replace(first, std=first.std / math.sqrt(min(taken, _MAX_AVERAGED)))
        case OperatorKind.SOFTMAX:
            share = 1.0 / graph.tensors[op.output].shape[-1]
            return ActivationStats(share, share, 0.0, 1.0)
        case OperatorKind.RELU:
            return _activated(first, Activation.RELU)
        case OperatorKind.RELU6:
            return _activated(first, Activation.RELU6)
        case _:
            return first


def _window(op: Operator) -> int:
    return op.options.filter_h * op.options.filter_w if isinstance(op.options, PoolOptions) else 1


def _activation(op: Operator) -> Activation:
    if isinstance(
        op.options, ConvOptions | DenseOptions | PoolOptions | AddOptions | ConcatenationOptions
    ):
        return op.options.activation
    return Activation.NONE


def _activated(stats: ActivationStats, activation: Activation) -> ActivationStats:
    """Moments of a normal distribution whose negative part became zero."""
    if activation is Activation.NONE or stats.std == 0.0:
        return stats
    ratio = stats.mean / stats.std
    density = math.exp(-ratio * ratio / 2.0) / math.sqrt(2.0 * math.pi)
    positive = (1.0 + math.erf(ratio / math.sqrt(2.0))) / 2.0
    mean = stats.mean * positive + stats.std * density
    square = (stats.mean**2 + stats.std**2) * positive + stats.mean * stats.std * density
    high = min(stats.high, 6.0) if activation is Activation.RELU6 else stats.high
    std = math.sqrt(max(square - mean * mean, 0.0))
    return ActivationStats(min(mean, high), std, 0.0, max(high, 0.0))
