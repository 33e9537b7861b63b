# SPDX-License-Identifier: Apache-2.0
"""What is pruned: Dynamic Model Pruning with Feedback, over channels or over single weights.

Source: Lin, Stich, Barba, Dmitriev, Jaggi, "Dynamic Model Pruning with Feedback" (ICLR 2020). The
dense weights are always kept and trained with the gradients of the masked network; every so many
steps the masks are chosen anew from the dense weights, so what was pruned by mistake comes back.

*Saliency.* Of a channel: the L2 norm of the weights that make it, divided by the mean norm in its
layer; where several layers share the channel, the mean over them. Norms of different layers do not
compare: they grow with the fan-in and with whatever scale training gave a layer. After the division
each layer has the mean 1, so one threshold over all of them takes from each what is small *there*,
and none is emptied because its numbers are small. Of a weight: its magnitude by the mean of its
layer.

*Feedback.* A pruned channel learns on: its weights get the gradient that its output would get. But
nothing corrects what it learns until masks are chosen again, ``interval`` steps later; all these
steps go the same way, and with momentum a channel came back so large that training diverged. So
each is divided by the interval: together they make one step. A single weight moves little of what
its channel gives and gets the whole gradient, as in the paper.

*Threshold.* One for the whole network: the given share of all channels (weights), the least salient
ones, goes. The best channel of each group never does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unas.graph import Graph
from unas.graph.pruning import SLACK, ChannelGroup, ChannelRole, channel_groups, prunable_kernels
from unas.train.layout import Floats, WeightLayout, WeightTensor

_TINY = 1e-12  # keeps the norms of a layer of zeros finite
_MAKERS = (ChannelRole.WRITES, ChannelRole.DEPTHWISE)


@dataclass(frozen=True, slots=True, eq=False)
class ChannelMasks:
    """Structured pruning: one number a channel, 1 where it stays.

    Attributes:
        groups: Channels that go together, see ``unas.graph.channels``.
        makers: For each kernel that makes prunable channels, its tensor and, for each of the
            operator's channels, the number of the channel in the mask; ``size`` where it cannot go.
        group_of: For each channel of the mask the number of its group.
    """

    groups: tuple[ChannelGroup, ...]
    makers: tuple[tuple[WeightTensor, NDArray[np.intp]], ...]
    group_of: NDArray[np.intp]

    @property
    def size(self) -> int:
        """Elements of the mask."""
        return len(self.group_of)

    def split(self, mask: Floats) -> list[NDArray[np.bool_]]:
        """The mask of each group."""
        return [mask[self.group_of == number] > 0.5 for number in range(len(self.groups))]

    def saliency(self, tf: Any, weights: dict[tuple[int, str], Any]) -> Any:
        """Of each channel of the mask; infinite for the best one of each group."""
        norms = []
        for tensor, _ in self.makers:
            kernel = tf.reshape(weights[tensor.position, "kernel"], (-1, tensor.channels))
            norm = tf.sqrt(tf.reduce_sum(kernel * kernel, 0))
            norms.append(norm / (tf.reduce_mean(norm) + _TINY))
        channels = np.concatenate([channels for _, channels in self.makers])
        mean = tf.math.unsorted_segment_mean(tf.concat(norms, 0), channels, self.size + 1)
        return _with_best_kept(tf, mean[: self.size], self.group_of, len(self.groups))

    def by_operator(self, tf: Any, mask: Any) -> dict[int, Any]:
        """For each operator that makes prunable channels, 1 or 0 for each of its channels."""
        extended = tf.concat([mask, [1.0]], 0)
        return {tensor.position: tf.gather(extended, channels) for tensor, channels in self.makers}


@dataclass(frozen=True, slots=True, eq=False)
class WeightMasks:
    """Unstructured pruning: one number a weight of a kernel; biases and the logits' kernel stay.

    Attributes:
        tensors: The kernels, in the order of the mask.
        layer_of: For each element of the mask the number of its kernel.
    """

    tensors: tuple[WeightTensor, ...]
    layer_of: NDArray[np.intp]

    @property
    def size(self) -> int:
        """Elements of the mask."""
        return len(self.layer_of)

    def saliency(self, tf: Any, weights: dict[tuple[int, str], Any]) -> Any:
        """Of each weight of the mask; infinite for the largest one of each kernel."""
        sizes = []
        for tensor in self.tensors:
            size = tf.abs(tf.reshape(weights[tensor.position, "kernel"], (-1,)))
            sizes.append(size / (tf.reduce_mean(size) + _TINY))
        return _with_best_kept(tf, tf.concat(sizes, 0), self.layer_of, len(self.tensors))

    def applied(
        self, tf: Any, mask: Any, weights: dict[tuple[int, str], Any]
    ) -> dict[tuple[int, str], Any]:
        """Weights with zeros where they are pruned; gradients go on to the dense ones."""
        masked = dict(weights)
        for tensor, part in zip(
            self.tensors, tf.split(mask, [p.size for p in self.tensors]), strict=True
        ):
            kernel = weights[tensor.position, "kernel"]
            hidden = kernel * (tf.reshape(part, tensor.shape) - 1.0)
            masked[tensor.position, "kernel"] = kernel + tf.stop_gradient(hidden)
        return masked


Masks = ChannelMasks | WeightMasks


def channel_masks(graph: Graph, layout: WeightLayout) -> ChannelMasks | None:
    """What structured pruning may take from a network; None: no layer but the logits has any."""
    groups = channel_groups(graph)
    sizes = [group.size for group in groups]
    size, starts = sum(sizes), np.cumsum([0, *sizes])
    index: dict[int, NDArray[np.intp]] = {}
    for start, group in zip(starts, groups, strict=False):
        for use in group.uses:
            if use.role in _MAKERS:
                numbers = index.setdefault(use.operator, np.full(len(use.channels), size))
                np.copyto(numbers, use.channels + start, where=use.channels >= 0)
    if not index:
        return None
    kernels = {p.position: p for p in layout.tensors if p.role == "kernel"}
    makers = tuple((kernels[position], index[position]) for position in sorted(index))
    return ChannelMasks(groups, makers, np.repeat(np.arange(len(groups)), sizes))


def weight_masks(graph: Graph, layout: WeightLayout) -> WeightMasks | None:
    """What unstructured pruning may take from a network; None: there is no layer but the logits."""
    prunable = prunable_kernels(graph)
    tensors = tuple(p for p in layout.tensors if p.role == "kernel" and p.position in prunable)
    if not tensors:
        return None
    return WeightMasks(tensors, np.repeat(np.arange(len(tensors)), [p.size for p in tensors]))


def choose(tf: Any, saliency: Any, sparsity: Any) -> Any:
    """The mask: 0 for the given share of elements, the least salient ones, else 1.

    Elements of infinite saliency stay in any case.
    """
    size = saliency.shape[0]
    pruned = tf.cast(tf.floor(sparsity * float(size) + SLACK), tf.int32)
    order = tf.argsort(saliency, stable=True)
    rank = tf.tensor_scatter_nd_update(
        tf.zeros((size,), tf.int32), order[:, tf.newaxis], tf.range(size)
    )
    stays = tf.logical_or(rank >= pruned, tf.math.is_inf(saliency))
    return tf.cast(stays, tf.float32)


def _with_best_kept(tf: Any, saliency: Any, group_of: NDArray[np.intp], groups: int) -> Any:
    best = tf.gather(tf.math.segment_max(saliency, group_of), group_of)
    infinite = tf.fill(tf.shape(saliency), np.float32(np.inf))
    return tf.where(saliency >= best, infinite, saliency)
