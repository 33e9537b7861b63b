# SPDX-License-Identifier: Apache-2.0
"""Advice from a latency model: which operators are dear, and which near shapes are cheaper.

A shape may be cheaper because it does less work, which needs no model, or because it suits the
kernels: channels that fill their blocks, windows with an unrolled loop. Both are told apart: the
gain at equal work is what a shape saves beyond its share of the products.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from unas.cost.mac_line import Vector
from unas.cost.operators import ArenaLayout, Call, Kernel, calls_of
from unas.graph import Graph, OperatorKind, Padding
from unas.graph.window import Pair, WindowAxis, same_output, window_extent
from unas.record import Prediction

_CHANNELS_AROUND = 4
_FILTERS_AROUND = 2
_POOLS = (OperatorKind.AVERAGE_POOL_2D, OperatorKind.MAX_POOL_2D)
_MAPS = (*_POOLS, OperatorKind.ADD, OperatorKind.PAD, OperatorKind.RELU, OperatorKind.RELU6)
# Their output has the channels of their input.
_CARRIERS = (*_MAPS, OperatorKind.DEPTHWISE_CONV_2D, OperatorKind.MEAN, OperatorKind.QUANTIZE)
# Which channels an operator with weights has.
_AXES = {
    OperatorKind.CONV_2D: ("input channels", "output channels"),
    OperatorKind.FULLY_CONNECTED: ("input channels", "output channels"),
    OperatorKind.DEPTHWISE_CONV_2D: ("channels",),
}


class Asked(Protocol):
    """What advice asks of a latency model: ``unas.cost.model.LatencyModel`` is one."""

    @property
    def layout(self) -> ArenaLayout:
        """Of the tensor arena."""

    def operators(self, calls: Sequence[Call]) -> Vector:
        """Cycles of each call, shape (n,)."""

    def cycles(self, calls: Sequence[Call]) -> Prediction:
        """Cycles of one inference of a network."""


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """What one operator is predicted to take.

    Attributes:
        index: Position in the network.
        kernel: Its signature.
        cycles: Predicted.
        share: Of all operators' cycles, 0 to 1.
        cycles_per_mac: None for operators without products.
    """

    index: int
    kernel: Kernel
    cycles: float
    share: float
    cycles_per_mac: float | None


@dataclass(frozen=True, slots=True)
class Advice:
    """A near shape of one operator that is predicted to take less time.

    Attributes:
        index: Position of the operator.
        kernel: As it is.
        instead: As it could be.
        change: What is different, in words.
        saved_cycles: Predicted cycles less than today, of this operator alone.
        saved_percent: The same as a share of the whole network.
        gain_percent: What of that is not due to doing less, as a share of the whole network.
        macs_percent: Products more (or, negative, less) than the operator has today.
        neighbours: Positions of operators whose shapes change with it; their savings or costs
            are not in the numbers.
    """

    index: int
    kernel: Kernel
    instead: Kernel
    change: str
    saved_cycles: float
    saved_percent: float
    gain_percent: float
    macs_percent: float
    neighbours: tuple[int, ...]


def costs(graph: Graph, model: Asked) -> tuple[OperatorCost, ...]:
    """What every operator takes, in order."""
    calls = calls_of(graph, model.layout)
    cycles = model.operators(calls)
    total = max(float(cycles.sum()), 1.0)
    return tuple(
        OperatorCost(
            index,
            call.kernel,
            float(count),
            float(count) / total,
            float(count) / call.kernel.macs if call.kernel.macs else None,
        )
        for index, (call, count) in enumerate(zip(calls, cycles, strict=True))
    )


def advise(
    graph: Graph, model: Asked, *, least_percent: float = 0.5, most: int = 10
) -> tuple[Advice, ...]:
    """Near shapes that the board runs faster than their products tell, best first.

    Channels are changed by up to four, windows by up to two rows and columns. What the network
    reads and what it answers stays as it is. The model is asked with every operator in its place
    of today, so advice is about shapes, not about where memory came to lie.

    Args:
        graph: As exported.
        model: To ask; the MAC line knows no shapes, so it has no advice.
        least_percent: Saving, and gain at equal work, of the whole network below which a shape is
            not worth a word.
        most: How much advice at most, and one for each operator and kind of change.
    """
    calls = calls_of(graph, model.layout)
    total = max(model.cycles(calls).value, 1.0)
    groups = _Channels(graph)
    found: list[Advice] = []
    for index, (call, now) in enumerate(zip(calls, model.operators(calls), strict=True)):
        variants = list(_variants(call.kernel, groups, index))
        if not variants or 100 * now / total < least_percent:
            continue
        asked = model.operators([Call(kernel, call.place) for _, kernel in variants])
        best: dict[str, Advice] = {}
        for (what, kernel), cycles in zip(variants, asked, strict=True):
            one = _judged(index, call.kernel, kernel, what, float(now), float(cycles), total)
            enough = min(one.saved_percent, one.gain_percent) >= least_percent
            if enough and one.gain_percent > _gain(best, what):
                best[what] = replace(one, neighbours=groups.neighbours(index, what))
        found += best.values()
    return tuple(sorted(found, key=lambda one: -one.gain_percent)[:most])


def _gain(best: Mapping[str, Advice], what: str) -> float:
    return best[what].gain_percent if what in best else 0.0


def _judged(
    index: int, kernel: Kernel, instead: Kernel, what: str, now: float, then: float, total: float
) -> Advice:
    work = instead.macs / kernel.macs
    return Advice(
        index=index,
        kernel=kernel,
        instead=instead,
        change=_in_words(what, kernel, instead),
        saved_cycles=now - then,
        saved_percent=100 * (now - then) / total,
        gain_percent=100 * (now * work - then) / total,
        macs_percent=100 * (work - 1),
        neighbours=(),
    )


def _in_words(what: str, kernel: Kernel, instead: Kernel) -> str:
    if what == "window":
        old, new = (f"{k.filter[0]}x{k.filter[1]}" for k in (kernel, instead))
        return f"window {old} -> {new}"
    axis = kernel.input if what == "input channels" else kernel.output
    other = instead.input if what == "input channels" else instead.output
    return f"{what} {axis[2]} -> {other[2]}"


def _variants(kernel: Kernel, groups: _Channels, index: int) -> Iterator[tuple[str, Kernel]]:
    """(what changes, near shape) of an operator."""
    if kernel.kind not in _AXES:
        return
    for what in _AXES[kernel.kind]:
        if groups.may_change(index, what):
            for step in range(-_CHANNELS_AROUND, _CHANNELS_AROUND + 1):
                changed = _deeper(kernel, what, step)
                if step and changed is not None:
                    yield what, changed
    yield from _windows(kernel)


def _deeper(kernel: Kernel, what: str, step: int) -> Kernel | None:
    """The kernel with channels more, or fewer; None where it cannot have so many."""
    source, target = kernel.input, kernel.output
    if what != "output channels":
        source = (source[0], source[1], source[2] + step)
    if what != "input channels":
        target = (target[0], target[1], target[2] + step)
    if min(source[2], target[2]) < 1 or (what == "channels" and source[2] != target[2]):
        return None
    return replace(kernel, input=source, output=target)


def _windows(kernel: Kernel) -> Iterator[tuple[str, Kernel]]:
    if kernel.kind is OperatorKind.FULLY_CONNECTED or kernel.filter == (1, 1):
        return
    around = range(-_FILTERS_AROUND, _FILTERS_AROUND + 1)
    line = 1 in kernel.filter
    for down in around:
        for across in around if line else (down,):
            rows, columns = kernel.filter[0] + down, kernel.filter[1] + across
            if (down, across) == (0, 0) or min(rows, columns) < 1:
                continue
            if (kernel.filter[0] == 1 and down) or (kernel.filter[1] == 1 and across):
                continue
            changed = _with_window(kernel, (rows, columns))
            if changed is not None:
                yield "window", changed


def _with_window(kernel: Kernel, filters: Pair) -> Kernel | None:
    """The kernel with other rows and columns of taps; None where they do not fit the input.

    An output of SAME padding's size is taken to have it, and keeps its size; others shrink.
    """
    axes = []
    for axis in (0, 1):
        size, stride, dilation = kernel.input[axis], kernel.stride[axis], kernel.dilation[axis]
        is_same = kernel.output[axis] == same_output(size, stride)
        if not is_same and window_extent(filters[axis], dilation) > size:
            return None
        padding = Padding.SAME if is_same else Padding.VALID
        axes.append(WindowAxis.of(size, filters[axis], stride, dilation, padding))
    rows, columns = axes
    output = (rows.output, columns.output, kernel.output[2])
    pad = (rows.pad_before, columns.pad_before)
    return replace(kernel, filter=filters, output=output, pad=pad)


class _Channels:
    """Which tensors have their channels in common, and which of them may not change."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._name = list(range(len(graph.tensors)))
        for op in graph.operators:
            if self._carries(op.kind, op.inputs[0], op.output):
                summands = op.inputs if op.kind is OperatorKind.ADD else op.inputs[:1]
                for tensor in summands:
                    self._unite(tensor, op.output)
        self._fixed = {self._find(tensor) for tensor in (*graph.inputs, *graph.outputs)}
        for op in graph.operators:
            if op.kind not in (*_CARRIERS, *_AXES):
                # A reshaped, joined or normalised tensor ties its channels in other ways.
                tied = (i for i in (*op.inputs, op.output) if i != -1)
                self._fixed |= {self._find(i) for i in tied}

    def may_change(self, index: int, what: str) -> bool:
        """Whether an operator's channels are free: not the network's own input or output."""
        tensors = self._changed(index, what)
        return all(self._find(tensor) not in self._fixed for tensor in tensors)

    def neighbours(self, index: int, what: str) -> tuple[int, ...]:
        """Other operators that read or write what changes."""
        operators = self._graph.operators
        if what == "window":
            output = operators[index].output
            return tuple(i for i, op in enumerate(operators) if output in op.inputs)
        names = {self._find(tensor) for tensor in self._changed(index, what)}
        return tuple(
            i
            for i, op in enumerate(operators)
            if i != index and names & {self._find(t) for t in (*op.inputs, op.output) if t != -1}
        )

    def _changed(self, index: int, what: str) -> Sequence[int]:
        op = self._graph.operators[index]
        return {
            "input channels": (op.inputs[0],),
            "output channels": (op.output,),
        }.get(what, (op.inputs[0], op.output))

    def _carries(self, kind: OperatorKind, source: int, target: int) -> bool:
        tensors = self._graph.tensors
        same = tensors[source].shape[-1] == tensors[target].shape[-1]
        return kind in _CARRIERS and same

    def _find(self, tensor: int) -> int:
        while self._name[tensor] != tensor:
            tensor = self._name[tensor]
        return tensor

    def _unite(self, one: int, other: int) -> None:
        self._name[self._find(one)] = self._find(other)
