# SPDX-License-Identifier: Apache-2.0
"""From the state of a training to the network that is kept: smaller, and without masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unas.graph import Graph, Operator, OperatorKind
from unas.graph.pruning import kept_elements, prune_graph
from unas.train.keras_model import build_keras_model
from unas.train.layout import Floats, WeightLayout
from unas.train.masks import ChannelMasks, Masks, WeightMasks

if TYPE_CHECKING:
    import keras

Keep = tuple[NDArray[np.bool_], ...]


def rebuilt(
    graph: Graph,
    layout: WeightLayout,
    masks: Masks | None,
    weights: Floats,
    moments: Floats,
    mask: Floats,
) -> tuple[Graph, keras.Model, Keep]:
    """The network that computes what the masked one does, without the masks.

    Args:
        graph: The network that was trained.
        layout: Of its weights.
        masks: What could be pruned, or None.
        weights: As the layout places them.
        moments: Running means and variances of the batch normalisations, as the layout has them.
        mask: What was pruned.

    Returns:
        The graph without pruned channels, the Keras model of exactly that graph, and for each group
        of channels which of them are left (empty without structured pruning). Single weights that
        are pruned become zeros.
    """
    parameters = dict(layout.by_operator(weights))
    running = layout.moments_by_operator(moments)
    keep: Keep = ()
    small = graph
    kept: dict[int, tuple[NDArray[np.intp], ...]] = {}
    match masks:
        case ChannelMasks():
            keep = tuple(masks.split(mask))
            small = prune_graph(graph, masks.groups, keep)
            kept = kept_elements(graph, masks.groups, keep)
        case WeightMasks():
            start = 0
            for tensor in masks.tensors:
                key, part = (tensor.position, "kernel"), mask[start : start + tensor.size]
                parameters[key] = parameters[key] * part.reshape(tensor.shape)
                start += tensor.size
    model = build_keras_model(small, seed=0)
    for position, op in enumerate(graph.operators):
        if (position, "kernel") not in parameters:
            continue
        cut = kept.get(op.inputs[1])
        channels = slice(None) if cut is None else cut[_output_axis(op)]
        vectors = {
            role: parameters[position, role][channels]
            for role in ("bias", "gamma", "beta")
            if (position, role) in parameters
        }
        kernel = _cut(op, parameters[position, "kernel"], cut)
        moment = tuple(x[channels] for x in running.get(position, ()))
        _assign(model, f"op{position}_{op.kind.lower()}", kernel, vectors, moment)
    return small, model, keep


def _assign(
    model: keras.Model,
    name: str,
    kernel: Floats,
    vectors: dict[str, Floats],
    moment: tuple[Floats, ...],
) -> None:
    layer = model.get_layer(name)
    values = [kernel]
    if "bias" in vectors:
        values.append(vectors["bias"])
    elif layer.use_bias:
        # In front of a batch normalisation: any bias will do if the mean contains it. Not zeros,
        # which a converter might leave out.
        bias = layer.get_weights()[1]
        values.append(bias)
        moment = (moment[0] + bias, moment[1])
    layer.set_weights(values)
    if moment:
        model.get_layer(f"{name}_bn").set_weights([vectors["gamma"], vectors["beta"], *moment])


def _output_axis(op: Operator) -> int:
    """Axis of the output channels in TFLite's layout of the kernel."""
    return 3 if op.kind is OperatorKind.DEPTHWISE_CONV_2D else 0


def _cut(op: Operator, kernel: Floats, kept: tuple[NDArray[np.intp], ...] | None) -> Floats:
    """What stays of a kernel in Keras' layout, by indices in TFLite's."""
    if kept is None:
        return kernel
    if op.kind is OperatorKind.FULLY_CONNECTED:
        return kernel.T[np.ix_(*kept)].T
    if op.kind is OperatorKind.DEPTHWISE_CONV_2D:
        height, width, _, multiplier = kernel.shape
        rows = kernel.reshape(1, height, width, -1)[np.ix_(*kept)]
        return rows.reshape(height, width, -1, multiplier)
    return kernel.transpose(3, 0, 1, 2)[np.ix_(*kept)].transpose(1, 2, 3, 0)
