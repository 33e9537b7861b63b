# SPDX-License-Identifier: Apache-2.0
"""Quantization parameters for a network without training data.

The rules are those of the TFLite 8-bit quantization specification, as the converter applies them:
activations per tensor and asymmetric, kernels and FULLY_CONNECTED weights per output channel and
symmetric, biases with the scale ``input x kernel`` and zero point 0, pools, PAD, RESHAPE and
CONCATENATION with one scale for input and output, SOFTMAX with 1/256 and -128.

The values are drawn, but so that activations neither vanish nor saturate: mean and standard
deviation of each are followed through the operators as if its elements were independent, and the
scale covers about three standard deviations. A network that saturates everywhere would hide wrong
kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unas.graph import ElementType, Graph, Operator, OperatorKind
from unas.tflite.activation_stats import ActivationStats, draw_activation_stats, output_stats

_SIGMAS = 3.0
_SAME_SCALE = frozenset(
    {
        OperatorKind.AVERAGE_POOL_2D,
        OperatorKind.MAX_POOL_2D,
        OperatorKind.PAD,
        OperatorKind.RESHAPE,
        OperatorKind.CONCATENATION,
        # TFLite leaves RELU6 free, but TFLM's int8 kernel clamps without rescaling: only with equal
        # scales does it compute what the name says.
        OperatorKind.RELU6,
    }
)
WEIGHTED = frozenset(
    {OperatorKind.CONV_2D, OperatorKind.DEPTHWISE_CONV_2D, OperatorKind.FULLY_CONNECTED}
)


@dataclass(frozen=True, slots=True)
class Quantization:
    """real = scale x (quantized - zero_point).

    Attributes:
        scale: Float32 vector: one element, or one per channel.
        zero_point: Of all channels.
        dimension: Index of the channel axis in the tensor's shape; 0 if per tensor.
    """

    scale: NDArray[np.float32]
    zero_point: int
    dimension: int = 0


SOFTMAX_OUTPUT = Quantization(np.array([1 / 256], np.float32), -128)


def plan_quantization(graph: Graph, rng: np.random.Generator) -> tuple[Quantization | None, ...]:
    """Draw the parameters of every tensor.

    Returns:
        One entry per tensor of the graph; None where TFLite has none (shapes, axes, floats).
    """
    plan: list[Quantization | None] = [None] * len(graph.tensors)
    stats: dict[int, ActivationStats] = {}
    relative: dict[int, NDArray[np.float64]] = {}
    weights = {i for op in graph.operators if op.kind in WEIGHTED for i in op.inputs[1:]}
    for index, tensor in enumerate(graph.tensors):
        words = tensor.element_type is ElementType.INT32
        if (tensor.constant or index in graph.inputs) and index not in weights and not words:
            stats[index] = draw_activation_stats(rng)
    for op in graph.operators:
        if op.kind in WEIGHTED and op.inputs[1] not in relative:
            relative[op.inputs[1]] = _draw_kernel_scales(graph, op, rng)
        gain = float(np.mean(relative[op.inputs[1]] ** 2)) if op.kind in WEIGHTED else 1.0
        stats[op.output] = output_stats(graph, op, stats, gain)
    _plan_activations(graph, stats, plan, rng)
    for op in graph.operators:
        if op.kind in WEIGHTED:
            _plan_weights(graph, op, relative[op.inputs[1]], plan)
    return tuple(plan)


def kernel_axis(kind: OperatorKind) -> int:
    """Index of the output channel in the kernel's shape: 1HWC for depthwise, O first elsewhere."""
    return 3 if kind is OperatorKind.DEPTHWISE_CONV_2D else 0


def fan_in(graph: Graph, op: Operator) -> int:
    """Products that are summed into one output element of a weighted operator."""
    kernel = graph.tensors[op.inputs[1]]
    return kernel.elements // kernel.shape[kernel_axis(op.kind)]


def _draw_kernel_scales(
    graph: Graph, op: Operator, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Scale of each channel, relative to the one that keeps the variance of the input."""
    channels = graph.tensors[op.inputs[1]].shape[kernel_axis(op.kind)]
    return np.exp2(rng.uniform(-0.75, 0.75, channels))


def _plan_weights(
    graph: Graph,
    op: Operator,
    relative: NDArray[np.float64],
    plan: list[Quantization | None],
) -> None:
    # Weights are uniform in -127..127: a standard deviation of 127 / sqrt(3) steps.
    unit = np.sqrt(3.0 / fan_in(graph, op)) / 127.0
    scale = (unit * relative).astype(np.float32)
    plan[op.inputs[1]] = Quantization(scale, 0, kernel_axis(op.kind))
    data = plan[op.inputs[0]]
    if len(op.inputs) > 2 and op.inputs[2] != -1 and data is not None:
        plan[op.inputs[2]] = Quantization(data.scale * scale, 0)


def _plan_activations(
    graph: Graph,
    stats: dict[int, ActivationStats],
    plan: list[Quantization | None],
    rng: np.random.Generator,
) -> None:
    group = _same_scale_groups(graph)
    lows: dict[int, float] = {}
    highs: dict[int, float] = {}
    for index, one in stats.items():
        below, above = _SIGMAS * rng.uniform(0.9, 1.3, 2)
        low = max(one.low, one.mean - below * one.std)
        high = min(one.high, one.mean + above * one.std)
        root = group[index]
        lows[root] = min(lows.get(root, 0.0), low)
        highs[root] = max(highs.get(root, 0.0), high)
    fixed = {group[op.output] for op in graph.operators if op.kind is OperatorKind.SOFTMAX}
    for index in stats:
        root = group[index]
        if graph.tensors[index].element_type is ElementType.INT8:
            plan[index] = SOFTMAX_OUTPUT if root in fixed else _cover(lows[root], highs[root])


def _cover(low: float, high: float) -> Quantization:
    """Parameters whose 256 steps reach from low to high; zero is representable exactly."""
    scale = np.float32(max(high - low, 1e-6) / 255.0)
    zero_point = int(np.clip(np.rint(-128.0 - low / scale), -128, 127))
    return Quantization(np.array([scale], np.float32), zero_point)


def _same_scale_groups(graph: Graph) -> list[int]:
    """For each tensor a representative; tensors with the same one share scale and zero point."""
    group = list(range(len(graph.tensors)))
    for op in graph.operators:
        if op.kind not in _SAME_SCALE:
            continue
        data = op.inputs if op.kind is OperatorKind.CONCATENATION else op.inputs[:1]
        old = {group[i] for i in data}
        group = [group[op.output] if g in old else g for g in group]
    return group
