# SPDX-License-Identifier: Apache-2.0
"""One operator as a latency model sees it: its signature, and its place in the tensor arena.

Which kernels a graph calls, and where in the tensor arena each of them works.

On a chip with memories of different speed the same kernel takes up to twice the time, depending on
where its working memory came to lie; and how much working memory it has decides how many pixels it
computes at once. Both follow from the plan of the arena, made here as the runtime makes it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from unas.arena.liveness import Buffers, buffers_of
from unas.arena.planner import best_plan
from unas.arena.search import ArenaPlan
from unas.errors import StoreError
from unas.graph import (
    Activation,
    ConvOptions,
    Graph,
    Operator,
    OperatorKind,
    Options,
    PadOptions,
    PoolOptions,
)
from unas.graph.window import Pair, Window, WindowAxis, conv_window, pool_window
from unas.names import KernelSet

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
    def window(self) -> Window:
        """The window over rows and columns; of 1x1 for kinds that have none."""
        rows, columns = (
            WindowAxis(
                self.input[axis],
                self.output[axis],
                self.filter[axis],
                self.stride[axis],
                self.dilation[axis],
                self.pad[axis],
            )
            for axis in (0, 1)
        )
        return Window(rows, columns)

    @functools.cached_property
    def macs(self) -> int:
        """Multiply-accumulates; 0 for kinds that have none."""
        counted = (*_WITH_KERNEL, OperatorKind.FULLY_CONNECTED)
        return self.outputs * self.taps if self.kind in counted else 0

    @functools.cached_property
    def paper_macs(self) -> int:
        """The paper's count: pools and additions too; see ``unas.resources.counts``."""
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
class Placement:
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


NEAR = Placement()


@dataclass(frozen=True, slots=True)
class Call:
    """A kernel in its place."""

    kernel: Kernel
    place: Placement = NEAR


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
        features = (1, 1, weights[1])
        return Kernel(kind, features, _hwc(target), activation=activation, first=first)
    filters = strides = dilations = (1, 1)
    pad = (0, 0)
    shape, out = _hwc(source), _hwc(target)
    if isinstance(options, ConvOptions):
        filters = (weights[1], weights[2])
        pad = conv_window(shape[:2], filters, options).pad_before
        strides = (options.stride_h, options.stride_w)
        dilations = (options.dilation_h, options.dilation_w)
    elif isinstance(options, PoolOptions):
        filters = (options.filter_h, options.filter_w)
        strides = (options.stride_h, options.stride_w)
        pad = pool_window(shape[:2], options).pad_before
    elif isinstance(options, PadOptions):
        pad = (sum(options.paddings[1]), sum(options.paddings[2])) if len(source) == 4 else pad
    elif kind is OperatorKind.MEAN:
        filters = shape[:2]
    return Kernel(kind, shape, out, filters, strides, dilations, pad, activation, first)


def _hwc(shape: tuple[int, ...]) -> Shape:
    """Without the batch; vectors and matrices get rows and columns of one."""
    inner = shape[1:] if len(shape) > 1 else shape
    if len(inner) == 3:
        return inner[0], inner[1], inner[2]
    return 1, math.prod(inner[:-1]), inner[-1] if inner else 1


Span = tuple[int, int]
# Kernels whose plan is known to the byte.
_PLANNED = (KernelSet.DSP, KernelSet.PLAIN)


@dataclass(frozen=True, slots=True)
class ArenaLayout:
    """What decides the places.

    Attributes:
        kernels: Whose plan: as the device names its kernels; places of unknown ones are not known.
        fast_bytes: Bytes from the arena's start that lie in the fastest memory; None: all.

    Raises:
        StoreError: A number of bytes below zero.
    """

    kernels: str
    fast_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.fast_bytes is not None and self.fast_bytes < 0:
            raise StoreError(f"{self.fast_bytes} bytes of fast memory; calibrate again")


def calls_of(graph: Graph, layout: ArenaLayout) -> tuple[Call, ...]:
    """The calls of a graph as it is exported, in order."""
    found = kernels(graph)
    if layout.kernels not in _PLANNED:
        return tuple(Call(kernel) for kernel in found)
    buffers = buffers_of(graph, KernelSet(layout.kernels))
    places = _Places(graph, buffers, best_plan(buffers), layout.fast_bytes)
    return tuple(Call(kernel, places.of(step, kernel)) for step, kernel in enumerate(found))


class _Places:
    """One planned arena."""

    def __init__(
        self, graph: Graph, buffers: Buffers, plan: ArenaPlan, fast_bytes: int | None
    ) -> None:
        self._graph, self._owners, self._plan = graph, buffers.owners, plan
        self._fast = plan.bytes if fast_bytes is None else fast_bytes
        tensors = len(graph.tensors)
        self._scratch = {g.index - tensors for g in buffers.groups if g.index >= tensors}
        placed = [
            (plan.offsets[group.index], plan.offsets[group.index] + size, first, last)
            for group in buffers.groups
            if group.index < tensors
            for first, last, size in group.spans
        ]
        self._placed = sorted(placed)

    def of(self, step: int, kernel: Kernel) -> Placement:
        op = self._graph.operators[step]
        source, target = self._owners.get(op.inputs[0]), self._owners.get(op.output)
        room, at = self._widest(step) if step in self._scratch else (0, 0)
        return Placement(
            scratch_bytes=room,
            far_input=self._far(source, kernel.inputs),
            far_output=self._far(target, kernel.outputs),
            near_scratch=max(self._fast - at, 0) if at + room > self._fast else None,
            in_place=source is not None and source == target,
        )

    def _far(self, group: int | None, size: int) -> float:
        if group is None:
            return 0.0
        beyond = self._plan.offsets[group] + size - self._fast
        return 0.0 if beyond <= 0 else min(beyond / size, 1.0)

    def _widest(self, step: int) -> Span:
        """(bytes, offset) of the widest gap while an operator runs: its working memory."""
        room, start, reached = 0, 0, 0
        for begin, end, first, last in self._placed:
            if first <= step <= last:
                if begin - reached > room:
                    room, start = begin - reached, reached
                if end > reached:
                    reached = end
        if self._plan.bytes - reached > room:
            room, start = self._plan.bytes - reached, reached
        return room, start


def fast_bytes_of(regions: Iterable[tuple[int, int, bool]], arena_bytes: int) -> int | None:
    """How many bytes of an arena at the end of RAM lie in the fastest memory.

    Args:
        regions: (start, size, whether it is the fastest) of the data memories; adjacent ones.
        arena_bytes: Size of the arena, which ends where the last region ends.

    Returns:
        None if all of them do.
    """
    data = sorted(regions)
    if all(fastest for _, _, fastest in data):
        return None
    begin = data[-1][0] + data[-1][1] - arena_bytes
    inside = 0
    for start, size, fastest in data:
        if not fastest:
            break
        inside += max(start + size - max(start, begin), 0)
    return inside
