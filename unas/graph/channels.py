# SPDX-License-Identifier: Apache-2.0
"""Channels of a network: which go together, and the way of each through the operators.

A channel is written by one row of a kernel, carried through depthwise convolutions, pools, padding
and sums, and read by columns of later kernels. Channels that meet in a sum are one channel: either
all of them go, or none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from unas.graph.model import Graph, Operator
from unas.graph.operators import (
    ConcatenationOptions,
    ConvOptions,
    MeanOptions,
    OperatorKind,
    PadOptions,
)

_WRITERS = (OperatorKind.CONV_2D, OperatorKind.FULLY_CONNECTED)


class ChannelRole(StrEnum):
    """What a tensor has to do with the channels along one of its axes."""

    WRITES = "writes"
    BIAS = "bias"
    DEPTHWISE = "depthwise"
    READS = "reads"
    CARRIES = "carries"


@dataclass(frozen=True, slots=True, eq=False)
class ChannelUse:
    """A tensor that has the channels of a group along one axis.

    Attributes:
        operator: Position of the operator: of the one that the constant belongs to, or of the one
            that writes the activation.
        tensor: Index in the graph.
        axis: Axis in TFLite's layout: CONV_2D OHWI, DEPTHWISE_CONV_2D 1HWC, FULLY_CONNECTED OI.
        role: WRITES is the output axis of a kernel, READS the input axis of one, DEPTHWISE the
            channel axis of a depthwise kernel, BIAS any bias, CARRIES the last axis of an
            activation.
        channels: For each position along the axis the channel of the group; -1 where the position
            belongs to no channel of this group.
    """

    operator: int
    tensor: int
    axis: int
    role: ChannelRole
    channels: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class ChannelGroup:
    """Channels that are written by the same operators.

    Attributes:
        size: Number of channels; any of them can go as long as one stays.
        uses: The constants that have them, in order of their operators. A channel is switched off,
            and everything it meets on its way stays zero, if its WRITES, DEPTHWISE and BIAS
            elements are zero, and with them the batch normalisation's scale and offset.
        activations: The tensors that carry them.
    """

    size: int
    uses: tuple[ChannelUse, ...]
    activations: tuple[ChannelUse, ...]


def channel_groups(graph: Graph) -> tuple[ChannelGroup, ...]:
    """The groups of channels that can be pruned, in order of the operators that write them.

    The channels of the graph's inputs and outputs are not among them, nor what is tied to these,
    nor channels that an operator looks at together (SOFTMAX, a MEAN over channels).
    """
    flow = trace(graph)
    names = flow.representatives()
    pinned = np.zeros(len(names), bool)
    pinned[names[flow.pinned()]] = True
    group_of = _groups(names, (flow.written[i] for i, _ in _writers(graph)))
    used = list(_uses(graph, flow.carried, flow.written))
    groups = []
    for label in dict.fromkeys(group_of[flow.written[i]][0] for i, _ in _writers(graph)):
        members = np.flatnonzero((group_of == label) & (names == np.arange(len(names))))
        if pinned[members].any():
            continue
        number = np.full(len(names), -1, np.intp)
        number[members] = np.arange(len(members))
        uses = [
            ChannelUse(operator, tensor, axis, role, number[names[ids]])
            for operator, tensor, axis, role, ids in used
            if (number[names[ids]] >= 0).any()
        ]
        constants = tuple(x for x in uses if x.role is not ChannelRole.CARRIES)
        carriers = tuple(x for x in uses if x.role is ChannelRole.CARRIES)
        groups.append(ChannelGroup(len(members), constants, carriers))
    return tuple(groups)


def _writers(graph: Graph) -> Iterator[tuple[int, OperatorKind]]:
    return ((i, op.kind) for i, op in enumerate(graph.operators) if op.kind in _WRITERS)


def _groups(names: Index, written_together: Iterable[Index]) -> Index:
    """For each channel the label of its group: the least name among those written with it."""
    label = names.copy()
    for ids in written_together:
        together = np.unique(label[names[ids]])
        label[np.isin(label, together)] = together[0]
    return label[names]


def _uses(
    graph: Graph, carried: dict[int, Index], written: dict[int, Index]
) -> Iterator[tuple[int, int, int, ChannelRole, Index]]:
    """(operator, tensor, axis, role, channels along the axis) of everything that has channels."""
    for position, op in enumerate(graph.operators):
        output = carried[op.output]
        if op.kind in _WRITERS:
            kernel = op.inputs[1]
            in_axis = len(graph.tensors[kernel].shape) - 1
            features = graph.tensors[kernel].shape[in_axis]
            # FULLY_CONNECTED flattens its input: channels repeat from pixel to pixel.
            read = np.resize(carried[op.inputs[0]], features)
            yield position, kernel, in_axis, ChannelRole.READS, read
            yield position, kernel, 0, ChannelRole.WRITES, written[position]
        elif op.kind is OperatorKind.DEPTHWISE_CONV_2D:
            yield position, op.inputs[1], 3, ChannelRole.DEPTHWISE, output
        if op.kind in (*_WRITERS, OperatorKind.DEPTHWISE_CONV_2D) and len(op.inputs) > 2:
            bias = op.inputs[2]
            if bias != -1:
                yield position, bias, 0, ChannelRole.BIAS, output
        last = len(graph.tensors[op.output].shape) - 1
        yield position, op.output, last, ChannelRole.CARRIES, output


Index = NDArray[np.intp]

_ELEMENTWISE = (
    OperatorKind.AVERAGE_POOL_2D,
    OperatorKind.MAX_POOL_2D,
    OperatorKind.RELU,
    OperatorKind.RELU6,
    OperatorKind.QUANTIZE,
)


class ChannelFlow:
    """Numbers every channel; knows which are one and the same, and which must stay.

    Attributes:
        carried: By activation, for each position of its last axis the channel there.
        written: By position of a CONV_2D or FULLY_CONNECTED, the channels it makes.
    """

    def __init__(self) -> None:
        self.carried: dict[int, Index] = {}
        self.written: dict[int, Index] = {}
        self._parent: list[int] = []
        self._pinned: set[int] = set()

    def new(self, count: int) -> Index:
        """So many channels that did not exist before."""
        first = len(self._parent)
        self._parent.extend(range(first, first + count))
        return np.arange(first, first + count)

    def pin(self, channels: Iterable[int]) -> None:
        """Forbid taking these away."""
        self._pinned.update(int(x) for x in channels)

    def pinned(self) -> Index:
        """The channels that must stay."""
        return np.fromiter(self._pinned, np.intp, len(self._pinned))

    def unite(self, left: Index, right: Index) -> None:
        """Make one channel of each pair."""
        for a, b in zip(left.tolist(), right.tolist(), strict=True):
            a, b = self._find(a), self._find(b)
            self._parent[max(a, b)] = min(a, b)

    def representatives(self) -> Index:
        """For each channel the least channel that is the same one."""
        return np.array([self._find(x) for x in range(len(self._parent))], np.intp)

    def _find(self, channel: int) -> int:
        while self._parent[channel] != channel:
            self._parent[channel] = self._parent[self._parent[channel]]
            channel = self._parent[channel]
        return channel


def trace(graph: Graph) -> ChannelFlow:
    """Follow the channels from the inputs to the outputs, which both are pinned."""
    flow = ChannelFlow()
    for index in graph.inputs:
        flow.carried[index] = flow.new(graph.tensors[index].shape[-1])
        flow.pin(flow.carried[index])
    for position, op in enumerate(graph.operators):
        # A constant among the data (of a file, say) has channels that nothing may take away.
        for index in op.inputs[: _data_inputs(op)]:
            if index not in flow.carried:
                flow.carried[index] = flow.new(graph.tensors[index].shape[-1])
                flow.pin(flow.carried[index])
        flow.carried[op.output] = _through(graph, flow, position, op)
    for index in graph.outputs:
        flow.pin(flow.carried[index])
    return flow


def _data_inputs(op: Operator) -> int:
    """How many of the operator's inputs are data, not weights or sizes."""
    many = op.kind in (OperatorKind.ADD, OperatorKind.CONCATENATION)
    return len(op.inputs) if many else 1


def _through(graph: Graph, flow: ChannelFlow, position: int, op: Operator) -> Index:
    """The channels of the operator's output."""
    data = flow.carried[op.inputs[0]]
    if op.kind in (OperatorKind.CONV_2D, OperatorKind.FULLY_CONNECTED):
        flow.written[position] = flow.new(graph.tensors[op.output].shape[-1])
        if not _is_own_reader(graph, op, len(data)):
            flow.pin([*data, *flow.written[position]])
        return flow.written[position]
    match op.options:
        case ConvOptions(depth_multiplier=multiplier):
            if not _is_own_reader(graph, op, len(data)):
                flow.pin(data)
            return np.repeat(data, multiplier)
        case ConcatenationOptions(axis=axis):
            return _concatenated(graph, flow, op, axis)
        case PadOptions(paddings=(*_, (0, 0))):
            return data
        case MeanOptions(axes=axes) if len(graph.tensors[op.inputs[0]].shape) - 1 not in axes:
            return data
        case _ if op.kind in _ELEMENTWISE:
            return data
        case _:
            return _added_or_reshaped(graph, flow, op)


def _is_own_reader(graph: Graph, op: Operator, channels: int) -> bool:
    """Whether the operator alone reads its kernel, and reads whole pixels of channels."""
    kernel = graph.tensors[op.inputs[1]]
    single = all(len(graph.consumers(i)) == 1 for i in op.inputs[1:] if i != -1)
    return single and kernel.constant and kernel.shape[-1] % channels == 0


def _concatenated(graph: Graph, flow: ChannelFlow, op: Operator, axis: int) -> Index:
    parts = [flow.carried[i] for i in op.inputs]
    if axis == len(graph.tensors[op.output].shape) - 1:
        return np.concatenate(parts)
    for part in parts[1:]:
        flow.unite(parts[0], part)
    return parts[0]


def _added_or_reshaped(graph: Graph, flow: ChannelFlow, op: Operator) -> Index:
    inputs = [flow.carried[i] for i in op.inputs[: _data_inputs(op)]]
    size = graph.tensors[op.output].shape[-1]
    if op.kind is OperatorKind.ADD and len({graph.tensors[i].shape for i in op.inputs}) == 1:
        for other in inputs[1:]:
            flow.unite(inputs[0], other)
        return inputs[0]
    if op.kind is OperatorKind.RESHAPE and size % len(inputs[0]) == 0:
        return np.tile(inputs[0], size // len(inputs[0]))
    # The operator looks at channels together (SOFTMAX) or mixes them up: they all stay.
    for data in inputs:
        flow.pin(data)
    output = flow.new(size)
    flow.pin(output)
    return output
