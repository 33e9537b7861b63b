# SPDX-License-Identifier: Apache-2.0
"""Where a network's weights lie in one flat vector.

One vector makes a training step a handful of operators: optimiser, weight decay and masks each work
on all weights at once, whatever the number of layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unas.graph import ConvOptions, Graph, Operator, OperatorKind
from unas.graph.pruning import WITH_KERNEL

Floats = NDArray[np.float32]

# As in keras_model.py, and for the same reason.
_LARGEST_BIAS = 0.05


@dataclass(frozen=True, slots=True)
class WeightTensor:
    """One weight tensor.

    Attributes:
        position: Of its operator in the graph.
        role: "kernel", "bias", "gamma" or "beta".
        shape: In Keras' layout: HWIO, HWCM for depthwise, (in, out) for dense.
        start: First element in the vector.
        channels: Channels or units that the operator gives.
    """

    position: int
    role: str
    shape: tuple[int, ...]
    start: int
    channels: int

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class WeightLayout:
    """The weights of a graph, one after the other.

    A bias in front of a batch normalisation is none: normalising takes it away again.

    Attributes:
        tensors: In the order of the vector.
        normalised: (position, channels) of the operators with batch normalisation; the vector of
            moments holds mean and variance of each, one operator after the other.
    """

    tensors: tuple[WeightTensor, ...]
    normalised: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """Elements of the weight vector."""
        return sum(tensor.size for tensor in self.tensors)

    def by_operator(self, vector: Floats) -> dict[tuple[int, str], Floats]:
        """The weight tensors in a vector, by operator position and role."""
        return {
            (p.position, p.role): vector[p.start : p.start + p.size].reshape(p.shape)
            for p in self.tensors
        }

    def moments_by_operator(self, vector: Floats) -> dict[int, tuple[Floats, Floats]]:
        """Mean and variance in a vector of moments, by operator position."""
        moments, start = {}, 0
        for position, channels in self.normalised:
            mean, variance = vector[start : start + 2 * channels].reshape(2, channels)
            moments[position] = (mean, variance)
            start += 2 * channels
        return moments


def layout_of(graph: Graph) -> WeightLayout:
    """Places for the weights of all convolutions and dense layers of a graph."""
    tensors: list[WeightTensor] = []
    normalised = []

    def add(role: str, shape: tuple[int, ...]) -> None:
        start = tensors[-1].start + tensors[-1].size if tensors else 0
        tensors.append(WeightTensor(position, role, shape, start, channels))

    for position, op in enumerate(graph.operators):
        if op.kind not in WITH_KERNEL:
            continue
        shape = _kernel_shape(graph, op)
        channels = _output_channels(op, shape)
        add("kernel", shape)
        if isinstance(op.options, ConvOptions) and op.options.batch_norm:
            add("gamma", (channels,))
            add("beta", (channels,))
            normalised.append((position, channels))
        elif _has_bias(op):
            add("bias", (channels,))
    return WeightLayout(tuple(tensors), tuple(normalised))


def _kernel_shape(graph: Graph, op: Operator) -> tuple[int, ...]:
    """Shape of an operator's kernel in Keras' layout."""
    shape = graph.tensors[op.inputs[1]].shape
    if op.kind is OperatorKind.FULLY_CONNECTED:
        return shape[::-1]
    if op.kind is OperatorKind.DEPTHWISE_CONV_2D and isinstance(op.options, ConvOptions):
        multiplier = op.options.depth_multiplier
        return (*shape[1:3], shape[3] // multiplier, multiplier)
    return (*shape[1:], shape[0])


def _output_channels(op: Operator, shape: tuple[int, ...]) -> int:
    """Channels or units that an operator with this kernel (in Keras' layout) gives."""
    return math.prod(shape[2:]) if op.kind is OperatorKind.DEPTHWISE_CONV_2D else shape[-1]


def _has_bias(op: Operator) -> bool:
    """Whether an operator with a kernel has a bias."""
    return len(op.inputs) > 2 and op.inputs[2] != -1


def initial_weights(layout: WeightLayout, seed: int) -> Floats:
    """Glorot's uniform kernels, small biases, batch normalisations that change nothing.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", equation 16, with the fans that Keras counts.
    """
    rng = np.random.default_rng([seed, 0x1417])
    vector = np.zeros(layout.size, np.float32)
    for tensor in layout.tensors:
        place = slice(tensor.start, tensor.start + tensor.size)
        if tensor.role == "kernel":
            window = math.prod(tensor.shape[:-2])
            limit = math.sqrt(6.0 / (window * (tensor.shape[-2] + tensor.shape[-1])))
            vector[place] = rng.uniform(-limit, limit, tensor.size)
        elif tensor.role == "bias":
            vector[place] = rng.uniform(-_LARGEST_BIAS, _LARGEST_BIAS, tensor.size)
        elif tensor.role == "gamma":
            vector[place] = 1.0
    return vector


def initial_moments(layout: WeightLayout) -> Floats:
    """Means of 0 and variances of 1."""
    parts = [np.repeat([0.0, 1.0], channels) for _, channels in layout.normalised]
    return np.concatenate([np.zeros(0), *parts]).astype(np.float32)
