# SPDX-License-Identifier: Apache-2.0
"""Puts a graph together, one operator at a time, with shapes and constants worked out."""

from __future__ import annotations

from unas.errors import ArchitectureError
from unas.graph.model import Graph, Operator, Tensor
from unas.graph.operators import (
    AddOptions,
    ConvOptions,
    DenseOptions,
    ElementType,
    MeanOptions,
    OperatorKind,
    Options,
    PadOptions,
    PoolOptions,
    ReshapeOptions,
)
from unas.graph.window import conv_window, pool_window

KernelSize = int | tuple[int, int]
"""Side of a square kernel, or its height and width."""


class GraphBuilder:
    """Appends operators; each method takes tensor indices and gives the index of its output.

    The name given to an operator becomes the name of its output tensor; its constants' names begin
    with it.
    """

    def __init__(self) -> None:
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._inputs: list[int] = []
        self._names: set[str] = set()

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Shape of a tensor, batch first."""
        return self._tensors[tensor].shape

    def input(self, name: str, shape: tuple[int, ...]) -> int:
        """A graph input, shape with the batch of 1 first."""
        index = self._tensor(Tensor(name, shape))
        self._inputs.append(index)
        return index

    def conv(
        self, name: str, x: int, *, filters: int, kernel: KernelSize, options: ConvOptions
    ) -> int:
        """CONV_2D with a bias."""
        _, height, width, channels = self.shape(x)
        kernel_h, kernel_w = _height_and_width(kernel)
        out = conv_window((height, width), (kernel_h, kernel_w), options).output
        weights = self._constant(f"{name}_kernel", (filters, kernel_h, kernel_w, channels))
        bias = self._bias(name, filters)
        inputs = (x, weights, bias)
        return self._operator(name, OperatorKind.CONV_2D, inputs, (1, *out, filters), options)

    def depthwise(self, name: str, x: int, *, kernel: KernelSize, options: ConvOptions) -> int:
        """DEPTHWISE_CONV_2D with a bias."""
        _, height, width, channels = self.shape(x)
        filters = channels * options.depth_multiplier
        kernel_h, kernel_w = _height_and_width(kernel)
        out = conv_window((height, width), (kernel_h, kernel_w), options).output
        weights = self._constant(f"{name}_kernel", (1, kernel_h, kernel_w, filters))
        inputs = (x, weights, self._bias(name, filters))
        kind = OperatorKind.DEPTHWISE_CONV_2D
        return self._operator(name, kind, inputs, (1, *out, filters), options)

    def pool(self, name: str, kind: OperatorKind, x: int, options: PoolOptions) -> int:
        """MAX_POOL_2D or AVERAGE_POOL_2D."""
        _, height, width, channels = self.shape(x)
        out = (1, *pool_window((height, width), options).output, channels)
        return self._operator(name, kind, (x,), out, options)

    def mean(self, name: str, x: int) -> int:
        """MEAN over height and width: (1, height, width, channels) to (1, channels)."""
        axes = self._constant(f"{name}_axes", (2,), ElementType.INT32)
        shape = (1, self.shape(x)[-1])
        return self._operator(name, OperatorKind.MEAN, (x, axes), shape, MeanOptions((1, 2)))

    def pad(self, name: str, x: int, paddings: tuple[tuple[int, int], ...]) -> int:
        """PAD by (before, after) per axis, batch included."""
        shape = tuple(
            size + sum(extra) for size, extra in zip(self.shape(x), paddings, strict=True)
        )
        constant = self._constant(f"{name}_paddings", (len(paddings), 2), ElementType.INT32)
        options = PadOptions(paddings)
        return self._operator(name, OperatorKind.PAD, (x, constant), shape, options)

    def add(self, name: str, left: int, right: int) -> int:
        """ADD of two tensors of one shape.

        Raises:
            ArchitectureError: The shapes differ.
        """
        if self.shape(left) != self.shape(right):
            raise ArchitectureError(
                f"{name} adds tensors of shape {self.shape(left)} and {self.shape(right)}; "
                "pool or pad them to one shape first"
            )
        shape = self.shape(left)
        return self._operator(name, OperatorKind.ADD, (left, right), shape, AddOptions())

    def flatten(self, name: str, x: int) -> int:
        """RESHAPE to (1, elements)."""
        shape = (1, self._tensors[x].elements)
        constant = self._constant(f"{name}_shape", (2,), ElementType.INT32)
        options = ReshapeOptions(shape)
        return self._operator(name, OperatorKind.RESHAPE, (x, constant), shape, options)

    def dense(self, name: str, x: int, *, units: int, options: DenseOptions) -> int:
        """FULLY_CONNECTED with a bias on a tensor of shape (1, features)."""
        _, features = self.shape(x)
        weights = self._constant(f"{name}_kernel", (units, features))
        inputs = (x, weights, self._bias(name, units))
        return self._operator(name, OperatorKind.FULLY_CONNECTED, inputs, (1, units), options)

    def finish(self, *outputs: int) -> Graph:
        """The graph with these outputs.

        Raises:
            ArchitectureError: An output does not exist.
        """
        operators = tuple(self._operators)
        return Graph(tuple(self._tensors), operators, tuple(self._inputs), outputs)

    def _operator(
        self,
        name: str,
        kind: OperatorKind,
        inputs: tuple[int, ...],
        shape: tuple[int, ...],
        options: Options,
    ) -> int:
        output = self._tensor(Tensor(name, shape))
        self._operators.append(Operator(kind, inputs, output, options))
        return output

    def _bias(self, name: str, size: int) -> int:
        return self._constant(f"{name}_bias", (size,), ElementType.INT32)

    def _constant(
        self, name: str, shape: tuple[int, ...], element_type: ElementType = ElementType.INT8
    ) -> int:
        return self._tensor(Tensor(name, shape, element_type, constant=True))

    def _tensor(self, tensor: Tensor) -> int:
        if tensor.name in self._names:
            raise ArchitectureError(f"two tensors are called {tensor.name}; rename one")
        self._names.add(tensor.name)
        self._tensors.append(tensor)
        return len(self._tensors) - 1


def _height_and_width(kernel: KernelSize) -> tuple[int, int]:
    return (kernel, kernel) if isinstance(kernel, int) else kernel
