# SPDX-License-Identifier: Apache-2.0
"""One operator as a latency model sees it: its signature, and its place in the tensor arena."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from unas.graph import (
    Activation,
    ConvOptions,
    Graph,
    Operator,
    OperatorKind,
    Options,
    Padding,
    PadOptions,
    PoolOptions,
)

Pair = tuple[int, int]
Shape = tuple[int, int, int]
_WITH_KERNEL = (OperatorKind.CONV_2D, OperatorKind.DEPTHWISE_CONV_2D)


@dataclass(frozen=True)  # no slots: counts are kept once computed, kernels are asked many times
class Kernel:
    """A call's signature: two operators with equal signatures do the same work.

    Attributes:
        kind: Its kind.
        input: (height, width, channels) of the data; of a vector (1, 1, features).
        output: The same of the result.
        filter: Rows and columns of the window.
        stride: Down and across.
        dilation: Down and across.
        pad: Rows above and columns left of the input that the window sees; PAD: rows and columns
            that it adds.
        activation: Fused activation.
        first: It reads the network's input.
    """

    kind: OperatorKind
    input: Shape
    output: Shape
    filter: Pair = (1, 1)
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    pad: Pair = (0, 0)
    activation: Activation = Activation.NONE
    first: bool = False

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        return hash((self.kind, self.input, self.output, self.filter, self.stride, self.pad))

    @functools.cached_property
    def pixels(self) -> int:
        """Positions of the output."""
        return self.output[0] * self.output[1]

    @functools.cached_property
    def outputs(self) -> int:
        """Elements, which are bytes, of the output."""
        return self.pixels * self.output[2]

    @functools.cached_property
    def inputs(self) -> int:
        """Elements, which are bytes, of the input."""
        return math.prod(self.input)

    @functools.cached_property
    def taps(self) -> int:
        """Products per output element."""
        window = self.filter[0] * self.filter[1]
        if self.kind is OperatorKind.CONV_2D:
            return window * self.input[2]
        if self.kind is OperatorKind.FULLY_CONNECTED:
            return self.inputs
        return window

    @functools.cached_property
    def macs(self) -> int:
        """Multiply-accumulates; 0 for kinds that have none."""
        counted = (*_WITH_KERNEL, OperatorKind.FULLY_CONNECTED)
        return self.outputs * self.taps if self.kind in counted else 0

    @functools.cached_property
    def paper_macs(self) -> int:
        """The paper's count: pools and additions too; see ``unas.resources.macs``."""
        if self.kind in (OperatorKind.AVERAGE_POOL_2D, OperatorKind.MAX_POOL_2D):
            return self.outputs * self.taps
        return self.outputs if self.kind is OperatorKind.ADD else self.macs

    @functools.cached_property
    def weights(self) -> int:
        """Bytes of its kernel; biases not counted."""
        if self.kind is OperatorKind.DEPTHWISE_CONV_2D:
            return self.taps * self.output[2]
        return self.taps * self.output[2] if self.macs else 0

    @property
    def signature(self) -> str:
        """The fields as one line, for tables and for finding duplicates."""

        def by(values: tuple[int, ...]) -> str:
            return "x".join(map(str, values))

        return (
            f"{self.kind} {by(self.input)}>{by(self.output)} k{by(self.filter)} s{by(self.stride)} "
            f"d{by(self.dilation)} p{by(self.pad)} {self.activation}{' first' * self.first}"
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a kernel works in the tensor arena: part of it may lie beyond the fastest memory.

    Attributes:
        scratch_bytes: Working memory it may use; None: as much as it wants, or not known.
        far_input: Share, 0 to 1, of its input beyond the fastest memory.
        far_output: The same of its output.
        near_scratch: Bytes of its working memory, from the start, that lie in the fastest memory;
            None: all.
        in_place: The output is written over the input.
    """

    scratch_bytes: int | None = None
    far_input: float = 0.0
    far_output: float = 0.0
    near_scratch: int | None = None
    in_place: bool = False

    def far_scratch(self, used_bytes: float) -> float:
        """Share, 0 to 1, of the bytes used of the working memory beyond the fastest memory."""
        if self.near_scratch is None or used_bytes <= self.near_scratch:
            return 0.0
        return 1.0 - self.near_scratch / used_bytes


NEAR = Place()


@dataclass(frozen=True, slots=True)
class Call:
    """A kernel in its place."""

    kernel: Kernel
    place: Place = NEAR


def kernels(graph: Graph) -> tuple[Kernel, ...]:
    """The signatures of a graph's operators, in order."""
    return tuple(kernel_of(graph, op) for op in graph.operators)


def kernel_of(graph: Graph, op: Operator) -> Kernel:
    """The signature of one operator."""
    data = op.inputs[0]
    weights = op.inputs[1] if len(op.inputs) > 1 else -1
    return _kernel(
        op.kind,
        op.options,
        graph.tensors[data].shape,
        graph.tensors[op.output].shape,
        graph.tensors[weights].shape if weights != -1 else (),
        data in graph.inputs,
    )


@functools.lru_cache(maxsize=1 << 16)  # a search draws the same operators again and again
def _kernel(
    kind: OperatorKind,
    options: Options,
    source: tuple[int, ...],
    target: tuple[int, ...],
    weights: tuple[int, ...],
    first: bool,
) -> Kernel:
    activation = getattr(options, "activation", Activation.NONE)
    if kind is OperatorKind.FULLY_CONNECTED:
        shape = (1, 1, weights[1])
        return Kernel(kind, shape, _hwc(target), activation=activation, first=first)
    filters = strides = dilations = (1, 1)
    pad = (0, 0)
    if isinstance(options, ConvOptions):
        filters = (weights[1], weights[2])
        strides = (options.stride_h, options.stride_w)
        dilations = (options.dilation_h, options.dilation_w)
    elif isinstance(options, PoolOptions):
        filters = (options.filter_h, options.filter_w)
        strides = (options.stride_h, options.stride_w)
    elif isinstance(options, PadOptions):
        pad = (sum(options.paddings[1]), sum(options.paddings[2])) if len(source) == 4 else pad
    elif kind is OperatorKind.MEAN:
        filters = _hwc(source)[:2]
    shape, out = _hwc(source), _hwc(target)
    if isinstance(options, ConvOptions | PoolOptions) and options.padding is Padding.SAME:
        pad = (
            _same_pad(shape[0], out[0], filters[0], strides[0], dilations[0]),
            _same_pad(shape[1], out[1], filters[1], strides[1], dilations[1]),
        )
    return Kernel(kind, shape, out, filters, strides, dilations, pad, activation, first)


def _hwc(shape: tuple[int, ...]) -> Shape:
    """Without the batch; vectors and matrices get rows and columns of one."""
    inner = shape[1:] if len(shape) > 1 else shape
    if len(inner) == 3:
        return inner[0], inner[1], inner[2]
    return 1, math.prod(inner[:-1]), inner[-1] if inner else 1


def _same_pad(size: int, out: int, window: int, stride: int, dilation: int) -> int:
    """Rows before the input that SAME adds, as TensorFlow computes them."""
    seen = (out - 1) * stride + (window - 1) * dilation + 1
    return max(seen - size, 0) // 2
