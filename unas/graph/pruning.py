# SPDX-License-Identifier: Apache-2.0
"""What pruning leaves of a graph: the smaller network when channels go, zeros when weights go.

Which channels go together is the matter of ``unas.graph.channels``; which of them go is decided in
training. The pruned graph has the same tensors and operators in the same places, with smaller
shapes. Without structure nothing gets smaller: single weights are zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unas.errors import ArchitectureError
from unas.graph.channels import ChannelGroup, ChannelRole, ChannelUse, channel_groups
from unas.graph.model import Graph, Operator, Tensor
from unas.graph.operators import OperatorKind, ReshapeOptions

__all__ = [
    "ChannelGroup",
    "ChannelRole",
    "ChannelUse",
    "channel_groups",
    "kept_elements",
    "prunable_kernels",
    "prune_graph",
    "pruned_weights",
]

Mask = NDArray[np.bool_]

WITH_KERNEL = (
    OperatorKind.CONV_2D,
    OperatorKind.DEPTHWISE_CONV_2D,
    OperatorKind.FULLY_CONNECTED,
)
"""Operators whose second input is a kernel."""

# Half an element of slack: a share of floats must not lose one to rounding.
SLACK = 1e-3


def prune_graph(graph: Graph, groups: Sequence[ChannelGroup], keep: Sequence[Mask]) -> Graph:
    """The network without some of its channels.

    Args:
        graph: The network; not changed.
        groups: Its ``channel_groups``.
        keep: For each group, which of its channels stay.

    Returns:
        Operators and tensors with the same indices and names; shapes are smaller, and with them
        the shapes that RESHAPE operators hold.

    Raises:
        ArchitectureError: The masks do not fit the groups, or a group is left without channels.
    """
    masks = _masks(graph, groups, keep)
    tensors = tuple(_cut(tensor, masks.get(i, {})) for i, tensor in enumerate(graph.tensors))
    operators = tuple(_resized(op, tensors[op.output]) for op in graph.operators)
    return Graph(tensors, operators, graph.inputs, graph.outputs)


def kept_elements(
    graph: Graph, groups: Sequence[ChannelGroup], keep: Sequence[Mask]
) -> dict[int, tuple[NDArray[np.intp], ...]]:
    """What stays of each constant that gets smaller.

    Args:
        graph: The network before pruning.
        groups: Its ``channel_groups``.
        keep: For each group, which of its channels stay.

    Returns:
        By tensor, the kept indices along each axis in TFLite's layout:
        ``values[np.ix_(*kept[tensor])]`` is the constant of the pruned network.

    Raises:
        ArchitectureError: As for ``prune_graph``.
    """
    return {
        tensor: tuple(
            np.flatnonzero(axes.get(axis, np.ones(size, bool)))
            for axis, size in enumerate(graph.tensors[tensor].shape)
        )
        for tensor, axes in _masks(graph, groups, keep).items()
        if graph.tensors[tensor].constant and not all(mask.all() for mask in axes.values())
    }


def prunable_kernels(graph: Graph) -> dict[int, int]:
    """What unstructured pruning may take from: all kernels but the logits', and no bias.

    Returns:
        Weights of each such kernel, by its operator's position.
    """
    return {
        position: math.prod(graph.tensors[op.inputs[1]].shape)
        for position, op in enumerate(graph.operators)
        if op.kind in WITH_KERNEL and op.output not in graph.outputs
    }


def pruned_weights(graph: Graph, sparsity: float) -> int:
    """How many weights are zero once unstructured pruning has taken its share.

    It is the share of the weights of all ``prunable_kernels``; each keeps its largest weight.
    """
    kernels = prunable_kernels(graph)
    size = sum(kernels.values())
    return min(math.floor(sparsity * size + SLACK), size - len(kernels))


def _masks(
    graph: Graph, groups: Sequence[ChannelGroup], keep: Sequence[Mask]
) -> dict[int, dict[int, Mask]]:
    """By tensor and axis, which positions stay."""
    sizes, shapes = [(x.size,) for x in groups], [np.shape(mask) for mask in keep]
    if shapes != sizes:
        raise ArchitectureError(
            f"masks of shapes {shapes} for groups of {sizes} channels; give one mask a group, with "
            "one element a channel"
        )
    masks: dict[int, dict[int, Mask]] = {}
    for number, (group, mask) in enumerate(zip(groups, keep, strict=True)):
        if not mask.any():
            raise ArchitectureError(
                f"channel group {number} of {group.size} channels would be empty; keep one"
            )
        for use in (*group.uses, *group.activations):
            stays = np.append(np.asarray(mask, bool), True)[use.channels]  # -1: not of this group
            axes = masks.setdefault(use.tensor, {})
            axes[use.axis] = axes.get(use.axis, np.ones(len(stays), bool)) & stays
    return masks


def _cut(tensor: Tensor, axes: dict[int, Mask]) -> Tensor:
    shape = tuple(
        int(axes[axis].sum()) if axis in axes else size for axis, size in enumerate(tensor.shape)
    )
    return tensor if shape == tensor.shape else replace(tensor, shape=shape)


def _resized(op: Operator, output: Tensor) -> Operator:
    if isinstance(op.options, ReshapeOptions):
        return replace(op, options=ReshapeOptions(output.shape))
    return op
