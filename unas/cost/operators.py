# SPDX-License-Identifier: Apache-2.0
"""The operators of a graph as a latency model sees them: kernels, and where they work in the arena.

On a chip with memories of different speed the same kernel takes up to twice the time, depending on
which memory its working memory lies in; and the size of its working memory decides how many pixels
it computes at once. Both follow from the plan of the tensor arena, made here as the runtime makes
it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from unas._codec import read_object, shown
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


# The fields of a placement by the keys that files hold.
_STORED_KEYS = {
    "scratch_bytes": "scratch_bytes",
    "slow_input": "far_input",
    "slow_output": "far_output",
    "fast_scratch": "near_scratch",
    "in_place": "in_place",
}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a kernel works in the tensor arena, which may reach from fast into slow memory.

    Attributes:
        scratch_bytes: Working memory it may use; None: as much as it wants, or not known.
        slow_input: Share of its input in slow memory, 0 to 1.
        slow_output: Share of its output in slow memory, 0 to 1.
        fast_scratch: Bytes of its working memory, from the start, that lie in fast memory; None:
            all.
        in_place: The output is written over the input.
    """

    scratch_bytes: int | None = None
    slow_input: float = 0.0
    slow_output: float = 0.0
    fast_scratch: int | None = None
    in_place: bool = False

    def slow_scratch(self, used_bytes: float) -> float:
        """Share of the used bytes of the working memory that lie in slow memory, 0 to 1."""
        if self.fast_scratch is None or used_bytes <= self.fast_scratch:
            return 0.0
        return 1.0 - self.fast_scratch / used_bytes

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types; fields that have their default are left out."""
        return {
            _STORED_KEYS[field.name]: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Placement:
        """From ``to_json_dict``'s result.

        Raises:
            StoreError: It is no mapping, or a key is unknown.
        """
        names = {key: name for name, key in _STORED_KEYS.items()}
        if not isinstance(data, Mapping) or not data.keys() <= names.keys():
            raise StoreError(
                f"a stored placement is {shown(data)}; it may have the keys {', '.join(names)}: "
                "calibrate again"
            )
        fields_of = {names[key]: value for key, value in data.items()}
        return read_object(fields_of, cls, "a placement", defaults=True)


ALL_FAST = Placement()


@dataclass(frozen=True, slots=True)
class Call:
    """A kernel with its placement."""

    kernel: Kernel
    placement: Placement = ALL_FAST


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
    """What decides where kernels work.

    Attributes:
        kernels: Name of the kernels, as the device gives it. Of unknown kernels no placement is
            known.
        fast_bytes: Bytes from the arena's start that lie in fast memory; None: all.

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
    listed = kernels(graph)
    if layout.kernels not in _PLANNED:
        return tuple(Call(kernel) for kernel in listed)
    buffers = buffers_of(graph, KernelSet(layout.kernels))
    arena = _PlannedArena(graph, buffers, best_plan(buffers), layout.fast_bytes)
    return tuple(Call(kernel, arena.placement(step, kernel)) for step, kernel in enumerate(listed))


class _PlannedArena:
    """Buffers at their offsets, and how far fast memory reaches."""

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

    def placement(self, step: int, kernel: Kernel) -> Placement:
        op = self._graph.operators[step]
        source, target = self._owners.get(op.inputs[0]), self._owners.get(op.output)
        scratch, offset = self._widest(step) if step in self._scratch else (0, 0)
        return Placement(
            scratch_bytes=scratch,
            slow_input=self._slow_share(source, kernel.inputs),
            slow_output=self._slow_share(target, kernel.outputs),
            fast_scratch=max(self._fast - offset, 0) if offset + scratch > self._fast else None,
            in_place=source is not None and source == target,
        )

    def _slow_share(self, group: int | None, size: int) -> float:
        if group is None:
            return 0.0
        slow = self._plan.offsets[group] + size - self._fast
        return 0.0 if slow <= 0 else min(slow / size, 1.0)

    def _widest(self, step: int) -> Span:
        """(bytes, offset) of the widest gap while an operator runs: its working memory."""
        widest, start, reached = 0, 0, 0
        for begin, end, first, last in self._placed:
            if first <= step <= last:
                if begin - reached > widest:
                    widest, start = begin - reached, reached
                if end > reached:
                    reached = end
        if self._plan.bytes - reached > widest:
            widest, start = self._plan.bytes - reached, reached
        return widest, start


def fast_bytes_of(regions: Iterable[tuple[int, int, bool]], arena_bytes: int) -> int | None:
    """How many bytes of an arena at the end of RAM lie in fast memory.

    Args:
        regions: (start, size, whether it is the fastest) of the data memories, which are adjacent.
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
