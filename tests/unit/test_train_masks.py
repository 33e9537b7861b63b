# SPDX-License-Identifier: Apache-2.0
"""What pruning takes away, and that nothing of it is left."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training_cases import (
    branching_network,
    little_data,
    little_network,
    lively,
    tf,
)
from unas.config import OptimizerConfig, PruningConfig, TrainingConfig
from unas.graph import DenseOptions, Graph
from unas.graph.builder import GraphBuilder
from unas.graph.pruning import prunable_kernels, pruned_weights
from unas.host.runtime import int8_outputs
from unas.tflite.converter import convert_keras
from unas.tflite.io_quantization import quantize_input, read_io_quantization
from unas.tflite.lowering import lower_graph
from unas.tflite.reader import read_flatbuffer
from unas.train.forward import Forward
from unas.train.layout import Floats, layout_of
from unas.train.masks import ChannelMasks, channel_masks, choose, weight_masks
from unas.train.optimization import sparsity_at
from unas.train.program import Program, TrainingState
from unas.train.rebuild import rebuilt
from unas.train.trainer import train

PRUNING = PruningConfig(finish_epoch=7, start_epoch=2)
_T = TypeVar("_T")


def some(masks: _T | None) -> _T:
    """Masks of a network that has something to prune."""
    assert masks is not None
    return masks


def test_sparsity_rises_with_the_cube_of_the_way_left() -> None:
    shares = [sparsity_at(PruningConfig(6, 2), 0.8, epoch) for epoch in range(9)]
    assert shares[:3] == [0, 0, 0]
    assert shares[4] == pytest.approx(0.8 * 7 / 8)  # half the way: (1/2)^3 is missing
    assert shares[6:] == [0.8, 0.8, 0.8]
    steps = np.diff(shares[2:7])
    assert (steps > 0).all()
    assert (np.diff(steps) < 0).all()


@pytest.mark.parametrize("sparsity", [0.0, 0.25, 0.5, 0.8, 0.99])
def test_the_least_salient_share_goes(sparsity: float) -> None:
    saliency = np.random.default_rng(0).permutation(np.linspace(0.1, 2, 40)).astype(np.float32)
    mask = choose(tf, tf.constant(saliency), tf.constant(sparsity)).numpy()
    assert (mask == 0).sum() == int(sparsity * 40)
    assert not mask.all() or sparsity == 0
    assert saliency[mask == 1].min() > saliency[mask == 0].max(initial=0)


def kernels(graph: Graph, seed: int = 0) -> dict[tuple[int, str], Floats]:
    return layout_of(graph).by_operator(lively(layout_of(graph), seed)[0])


def test_saliency_of_a_layer_does_not_depend_on_its_scale() -> None:
    graph = branching_network()
    masks, weights = some(channel_masks(graph, layout_of(graph))), kernels(graph)
    before = masks.saliency(tf, weights).numpy()
    first = masks.makers[0][0].position
    weights[first, "kernel"] = weights[first, "kernel"] * 100
    np.testing.assert_allclose(masks.saliency(tf, weights).numpy(), before, rtol=1e-5)


def test_saliency_is_the_norm_by_the_mean_of_its_layer() -> None:
    graph = little_network(filters=5)
    masks, weights = some(channel_masks(graph, layout_of(graph))), kernels(graph)
    (conv, _), (hidden, _) = masks.makers
    expected = []
    for piece in (conv, hidden):
        kernel = weights[piece.position, "kernel"]
        norms = np.array([np.linalg.norm(kernel[..., c]) for c in range(kernel.shape[-1])])
        expected.append(np.where(norms == norms.max(), np.inf, norms / norms.mean()))
    saliency = masks.saliency(tf, weights).numpy()
    np.testing.assert_allclose(saliency, np.concatenate(expected), rtol=1e-5)


def test_channels_that_meet_in_a_sum_are_one() -> None:
    """The network's 6 + 8 + 7 channels: left, right and the depthwise behind them share 8."""
    graph = branching_network()
    masks = some(channel_masks(graph, layout_of(graph)))
    assert sorted(group.size for group in masks.groups) == [6, 7, 8]
    names = {graph.tensors[graph.operators[p.position].output].name for p, _ in masks.makers}
    assert names == {"first", "left", "deep", "right", "after", "hidden"}


def test_one_channel_of_each_group_survives() -> None:
    graph = branching_network()
    masks = some(channel_masks(graph, layout_of(graph)))
    mask = choose(tf, masks.saliency(tf, kernels(graph)), tf.constant(1.0)).numpy()
    assert [int(part.sum()) for part in masks.split(mask)] == [1, 1, 1]


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.77, 0.999, 1.0])
def test_as_many_weights_go_as_the_graph_says(sparsity: float) -> None:
    """So a candidate can be judged before it is trained, without TensorFlow."""
    graph = branching_network()
    masks = some(weight_masks(graph, layout_of(graph)))
    mask = choose(tf, masks.saliency(tf, kernels(graph)), tf.constant(sparsity)).numpy()
    assert (mask == 0).sum() == pruned_weights(graph, sparsity)
    assert masks.size == sum(prunable_kernels(graph).values())


def test_a_network_without_channels_is_trained_as_it_is() -> None:
    b = GraphBuilder()
    x = b.flatten("flat", b.input("input", (1, 6, 6, 1)))
    graph = b.finish(b.dense("logits", x, units=3, options=DenseOptions()))
    layout, data = layout_of(graph), little_data()
    assert channel_masks(graph, layout) is None
    assert weight_masks(graph, layout) is None
    training = TrainingConfig(epochs=9)
    pruned = train(graph, data, training, seed=1, pruning=PRUNING, sparsity=0.5)
    plain = train(graph, data, training, seed=1)
    assert pruned.sparsity == 0.0
    assert [e.validation_loss for e in pruned.epochs] == [e.validation_loss for e in plain.epochs]


def test_what_is_pruned_learns_on() -> None:
    """The gradient of a hidden unit's weights is that of the masked network, mask left out."""
    b = GraphBuilder()
    x = b.flatten("flat", b.input("input", (1, 1, 1, 4)))
    x = b.dense("hidden", x, units=3, options=DenseOptions())
    graph = b.finish(b.dense("logits", x, units=2, options=DenseOptions()))
    weights = {key: tf.constant(value) for key, value in kernels(graph).items()}
    rng = np.random.default_rng(1)
    inputs, towards = rng.normal(size=(5, 4)), rng.normal(size=(5, 2))
    mask = np.array([1, 0, 1], np.float32)
    with tf.GradientTape() as tape:
        tape.watch(weights[1, "kernel"])
        forward = Forward(tf, graph, weights, {1: tf.constant(mask)}, None)
        logits = forward(tf.constant(inputs.reshape(5, 1, 1, 4), tf.float32))
        loss = tf.reduce_sum(logits * tf.constant(towards, tf.float32))
    gradient = tape.gradient(loss, weights[1, "kernel"]).numpy()
    # By hand: loss = towards . (m * (inputs K1 + b1)) K2; d/dK1 at the masked point without m.
    expected = inputs.T @ (towards @ weights[2, "kernel"].numpy().T)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4)
    hidden = inputs @ weights[1, "kernel"].numpy() + weights[1, "bias"].numpy()
    masked = (hidden * mask) @ weights[2, "kernel"].numpy() + weights[2, "bias"].numpy()
    np.testing.assert_allclose(logits.numpy(), masked, rtol=1e-4, atol=1e-5)


def test_a_pruned_channel_learns_by_the_share_it_is_given() -> None:
    """Hidden channels' weights get ``feedback`` times the gradient, the others all of it."""
    graph = branching_network()
    weights = {key: tf.constant(value) for key, value in kernels(graph).items()}
    masks = some(channel_masks(graph, layout_of(graph)))
    mask = by_hand(masks, 3)
    places = masks.by_operator(tf, tf.constant(mask))
    x = tf.constant(inputs_like(8, graph.tensors[graph.inputs[0]].shape[1:]))
    found = []
    for feedback in (1.0, 0.25):
        with tf.GradientTape() as tape:
            tape.watch(list(weights.values()))
            forward = Forward(tf, graph, weights, places, None, feedback=feedback)
            loss = tf.reduce_sum(forward(x) ** 2)
        found.append(tape.gradient(loss, weights))
    last, numbers = masks.makers[-1]
    key = (last.position, "kernel")
    whole, share = (one[key].numpy().reshape(-1, last.channels) for one in found)
    stays = np.append(mask, 1.0)[numbers] > 0.5
    assert stays.any()
    assert not stays.all()
    assert np.abs(whole[:, ~stays]).max() > 0
    np.testing.assert_allclose(share[:, stays], whole[:, stays], rtol=1e-5)
    np.testing.assert_allclose(share[:, ~stays], 0.25 * whole[:, ~stays], rtol=1e-5)


@pytest.mark.slow
def test_the_steps_until_masks_are_chosen_again_make_one() -> None:
    """A pruned channel moves by 1/interval in a step; what stays moves as it always does."""
    graph, data = branching_network(), little_data()
    layout = layout_of(graph)
    masks, (weights, moments) = some(channel_masks(graph, layout)), lively(layout, 2)
    mask = by_hand(masks, 2)
    training = TrainingConfig(
        batch_size=data.train.count,  # one step is an epoch
        optimizer=OptimizerConfig(momentum=0.0, weight_decay=0.0),
    )
    moved = []
    for interval in (1, 16):
        pruning = PruningConfig(finish_epoch=7, start_epoch=2, interval=interval)
        program = Program(graph, data, training, masks=masks, pruning=pruning)
        state = TrainingState(
            tf.constant(weights), (tf.zeros_like(weights),), tf.constant(moments), tf.constant(mask)
        )
        after, _, _ = program.epoch(state, seed=0, epoch=0, rate=0.01, sparsity=None)
        moved.append(layout.by_operator(after.weights.numpy() - weights))
    piece, numbers = masks.makers[-1]
    stays = np.append(mask, 1.0)[numbers] > 0.5
    often, seldom = (m[piece.position, "kernel"].reshape(-1, piece.channels) for m in moved)
    np.testing.assert_allclose(seldom[:, stays], often[:, stays], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(seldom[:, ~stays], often[:, ~stays] / 16, rtol=1e-2, atol=1e-6)
    assert np.abs(seldom[:, ~stays]).max() > 1e-5


def silenced(masks: ChannelMasks, mask: Floats, weights: Floats, graph: Graph) -> Floats:
    """The weights with zeros in all that makes a pruned channel: kernel, bias, scale, offset."""
    off, result = mask < 0.5, weights.copy()
    parts = layout_of(graph).by_operator(result)  # views
    for piece, numbers in masks.makers:
        gone = np.append(off, False)[numbers]
        kernel = parts[piece.position, "kernel"]
        kernel.reshape(-1, len(gone))[:, gone] = 0
        for role in ("bias", "gamma", "beta"):
            if (piece.position, role) in parts:
                parts[piece.position, role][gone] = 0
    return result


def by_hand(masks: ChannelMasks, seed: int) -> Floats:
    """A mask that leaves channels of every group."""
    rng = np.random.default_rng(seed)
    mask = (rng.random(masks.size) < 0.5).astype(np.float32)
    mask[np.unique(masks.group_of, return_index=True)[1] + 1] = 1
    return mask


def inputs_like(count: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.random.default_rng(5).random((count, *shape)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_masked_silenced_and_rebuilt_network_are_one(seed: int) -> None:
    graph, data = branching_network(), little_data()
    layout = layout_of(graph)
    masks, (weights, moments) = some(channel_masks(graph, layout)), lively(layout, seed)
    mask, none = by_hand(masks, seed), np.zeros(0, np.float32)
    x = inputs_like(64, (6, 6, 1))

    program = Program(graph, data, TrainingConfig(), masks=masks, pruning=PRUNING)
    state = TrainingState(tf.constant(weights), (), tf.constant(moments), tf.constant(mask))
    masked = program.logits(state, tf.constant(x)).numpy()

    zeros = silenced(masks, mask, weights, graph)
    _, large, _ = rebuilt(graph, layout, None, zeros, moments, none)
    # Biases in front of a normalisation are no weights of ours: the mean of a silent channel has
    # them, its scale and offset are zero.
    np.testing.assert_allclose(large(x).numpy(), masked, rtol=1e-5, atol=1e-5)

    small, model, kept = rebuilt(graph, layout, masks, weights, moments, mask)
    np.testing.assert_allclose(model(x).numpy(), masked, rtol=1e-5, atol=1e-5)
    assert [int(k.sum()) for k in kept] == [int(p.sum()) for p in masks.split(mask)]
    assert model.count_params() < large.count_params()

    flatbuffer = convert_keras(model, [one[np.newaxis] for one in x], "pruned")
    check_flatbuffer(flatbuffer.data, small, x, masked)


def check_flatbuffer(
    data: bytes, small: Graph, x: NDArray[np.float32], logits: NDArray[np.float32]
) -> None:
    """It has the small graph's shapes and, on the device's runtime, its logits up to int8."""
    shapes = sorted(t.shape for t in read_flatbuffer(data, "pruned").constants())
    assert shapes == sorted(t.shape for t in lower_graph(small).constants())
    ends = read_io_quantization(data)
    outputs = ends.real(int8_outputs(data, quantize_input(x, ends)))
    spread = logits.max() - logits.min()
    assert np.abs(outputs - logits).mean() < 0.02 * spread
    assert np.corrcoef(outputs.ravel(), logits.ravel())[0, 1] > 0.99


def test_single_weights_become_zeros() -> None:
    graph, data = branching_network(), little_data()
    layout = layout_of(graph)
    masks, (weights, moments) = some(weight_masks(graph, layout)), lively(layout)
    saliency = masks.saliency(tf, layout.by_operator(weights))
    mask = choose(tf, saliency, tf.constant(0.6)).numpy()
    pruning = PruningConfig(7, 2, structured=False)
    program = Program(graph, data, TrainingConfig(), masks=masks, pruning=pruning)
    x = inputs_like(8, (6, 6, 1))
    state = TrainingState(tf.constant(weights), (), tf.constant(moments), tf.constant(mask))
    small, model, kept = rebuilt(graph, layout, masks, weights, moments, mask)
    assert small is graph
    assert kept == ()
    np.testing.assert_allclose(
        model(x).numpy(), program.logits(state, tf.constant(x)).numpy(), rtol=1e-5, atol=1e-5
    )
    zeros = sum(int((w == 0).sum()) for w in model.get_weights())
    assert zeros == (mask == 0).sum() == int(0.6 * masks.size)
    assert (model.layers[-1].get_weights()[0] != 0).all()


def test_dense_weights_outlive_epochs_and_evaluations() -> None:
    """What a frozen mask hides is trained on, and comes back when the mask is chosen anew."""
    graph, data = little_network(), little_data()
    layout = layout_of(graph)
    masks = some(channel_masks(graph, layout))
    training = TrainingConfig(batch_size=40, optimizer=OptimizerConfig(momentum=0.0))
    program = Program(graph, data, training, masks=masks, pruning=PRUNING)
    start = program.initial(0)
    mask = by_hand(masks, 0)
    before = TrainingState(start.weights, start.slots, start.moments, tf.constant(mask))
    after, _, _ = program.epoch(before, seed=0, epoch=0, rate=0.1, sparsity=None)
    assert after.mask.numpy().tolist() == mask.tolist()
    kernel, numbers = masks.makers[0]
    was, now = (layout.by_operator(s.weights.numpy()) for s in (before, after))
    moved = np.abs(now[kernel.position, "kernel"] - was[kernel.position, "kernel"]).sum((0, 1, 2))
    assert (mask[numbers] == 0).any()
    assert (moved[mask[numbers] == 0] > 0).any()
    loss = program.evaluate(after, data.validation)
    assert program.evaluate(after, data.validation) == loss
    whole, _, _ = program.epoch(after, seed=0, epoch=1, rate=0.1, sparsity=0.0)
    assert whole.mask.numpy().all()
