# SPDX-License-Identifier: Apache-2.0
"""Which channels of a network go together: what structured pruning may take away.

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

from unas.graph.channel_flow import Index, trace
from unas.graph.model import Graph
from unas.graph.operators import OperatorKind

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
