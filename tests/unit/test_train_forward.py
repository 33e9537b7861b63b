# SPDX-License-Identifier: Apache-2.0
"""What is trained computes what is kept: the plain forward pass against the Keras model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.export_graphs import beyond_the_space, branches, every_operator
from tests.training_cases import branching_network, lively, tf
from unas.graph import Graph
from unas.space.build import build_graph
from unas.space.cnn import random_architecture
from unas.train.forward import Forward
from unas.train.layout import initial_weights, layout_of
from unas.train.rebuild import rebuilt


def random_network(seed: int) -> Graph:
    return build_graph(random_architecture(np.random.default_rng(seed)), (12, 10, 2), 5)


NETWORKS: dict[str, Callable[[], Graph]] = {
    "branching": branching_network,
    "branches": branches,
    "beyond": beyond_the_space,
    "random 1": lambda: random_network(1),
    "random 2": lambda: random_network(2),
    "random 5": lambda: random_network(5),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_forward_pass_and_keras_model_agree(name: str) -> None:
    graph = NETWORKS[name]()
    layout = layout_of(graph)
    weights, moments = lively(layout)
    small, model, kept = rebuilt(graph, layout, None, weights, moments, np.zeros(0, np.float32))
    assert small is graph
    assert kept == ()
    x = np.random.default_rng(3).normal(size=(4, *graph.tensors[0].shape[1:])).astype(np.float32)
    forward = Forward(
        tf, graph, layout.by_operator(weights), {}, layout.moments_by_operator(moments)
    )
    expected = forward(tf.constant(x)).numpy()
    np.testing.assert_allclose(model(x).numpy(), expected, rtol=1e-5, atol=1e-5)


def test_batch_statistics_are_those_of_keras() -> None:
    graph = branching_network()
    layout = layout_of(graph)
    weights, moments = lively(layout)
    _, model, _ = rebuilt(graph, layout, None, weights, moments, np.zeros(0, np.float32))
    x = np.random.default_rng(3).normal(size=(8, 6, 6, 1)).astype(np.float32)
    forward = Forward(tf, graph, layout.by_operator(weights), {}, None)
    np.testing.assert_allclose(
        forward(tf.constant(x)).numpy(), model(x, training=True).numpy(), rtol=1e-4, atol=1e-4
    )
    assert [v.shape[0] for v in forward.seen] == [c for _, c in layout.normalised for _ in range(2)]


def test_every_weight_of_the_keras_model_is_set() -> None:
    """None keeps what the model began with, apart from biases that a normalisation takes away."""
    graph = branching_network()
    layout = layout_of(graph)
    none = np.zeros(0, np.float32)
    one, other = (
        rebuilt(graph, layout, None, *lively(layout, seed), none)[1].get_weights()
        for seed in (1, 2)
    )
    same = [a.shape for a, b in zip(one, other, strict=True) if np.array_equal(a, b)]
    assert same == [(c,) for _, c in layout.normalised]


def test_the_layout_has_a_place_for_everything() -> None:
    layout = layout_of(every_operator())
    assert layout.size == sum(tensor.size for tensor in layout.tensors)
    starts = [tensor.start for tensor in layout.tensors]
    assert starts == sorted(set(starts))


def test_initial_weights_depend_on_the_seed_alone() -> None:
    layout = layout_of(branching_network())
    np.testing.assert_array_equal(initial_weights(layout, 7), initial_weights(layout, 7))
    assert (initial_weights(layout, 7) != initial_weights(layout, 8)).sum() > layout.size / 2
