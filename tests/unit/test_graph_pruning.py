# SPDX-License-Identifier: Apache-2.0
"""Structured pruning: the smaller network computes what the masked one computes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.export_graphs import Sketch, every_operator
from tests.unit.float_network import Array, random_constants, run_float
from unas.errors import ArchitectureError
from unas.graph import (
    AddOptions,
    ConcatenationOptions,
    ConvOptions,
    Graph,
    MeanOptions,
    OperatorKind,
    SoftmaxOptions,
)
from unas.graph.pruning import (
    ChannelGroup,
    ChannelRole,
    channel_groups,
    kept_elements,
    prune_graph,
)
from unas.resources.estimate import footprint
from unas.space.catalogue import SPACE_NAMES, find_space

_K = OperatorKind
_SMALL = {"filters": [1, 6], "units": [1, 9]}


def _conv(sketch: Sketch, x: int, filters: int, *, kernel: int = 1) -> int:
    _, height, width, channels = sketch.tensors[x].shape
    inputs = (x, sketch.constant(filters, kernel, kernel, channels), sketch.words(filters))
    shape = (1, height - kernel + 1, width - kernel + 1, filters)
    return sketch.operator(_K.CONV_2D, inputs, shape, ConvOptions())


def _masked(
    groups: Sequence[ChannelGroup], keep: Sequence[NDArray[np.bool_]], constants: dict[int, Array]
) -> dict[int, Array]:
    """Weights with the dropped channels switched off, as training would do it."""
    off = {index: value.copy() for index, value in constants.items()}
    for group, mask in zip(groups, keep, strict=True):
        for use in group.uses:
            if use.role is not ChannelRole.READS:
                dropped = (use.channels >= 0) & ~mask[use.channels]
                np.moveaxis(off[use.tensor], use.axis, 0)[dropped] = 0
    return off


def _draw_masks(
    groups: Sequence[ChannelGroup], rng: np.random.Generator
) -> list[NDArray[np.bool_]]:
    masks = [rng.random(group.size) < 0.6 for group in groups]
    for mask in masks:
        mask[rng.integers(len(mask))] = True
    return masks


def _check_same_function(graph: Graph, seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = channel_groups(graph)
    keep = _draw_masks(groups, rng)
    smaller = prune_graph(graph, groups, keep)
    constants = random_constants(graph, seed)
    # Every constant that is not in `kept` stays whole.
    kept = kept_elements(graph, groups, keep)
    fewer = {i: v[np.ix_(*kept[i])] if i in kept else v for i, v in constants.items()}
    data = rng.standard_normal(graph.tensors[graph.inputs[0]].shape)
    masked = run_float(graph, _masked(groups, keep, constants), data)
    pruned = run_float(smaller, fewer, data)
    for output in graph.outputs:
        np.testing.assert_allclose(pruned[output], masked[output], rtol=1e-9, atol=1e-9)
    for group, mask in zip(groups, keep, strict=True):
        for use in group.activations:
            values = np.moveaxis(masked[use.tensor], use.axis, 0)
            assert not values[(use.channels >= 0) & ~mask[use.channels]].any()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(SPACE_NAMES),
    st.integers(0, 2**32),
    st.sampled_from([(8, 8, 1), (9, 5, 3), (16, 1, 2), (1, 1, 1)]),
)
def test_the_pruned_network_computes_what_the_masked_one_computes(
    name: str, seed: int, shape: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(seed)
    space = find_space(name, _SMALL if name != "mlp" else {"units": [1, 9]})
    graph = space.graph(space.random(rng), shape, int(rng.integers(2, 6)))
    _check_same_function(graph, seed)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SPACE_NAMES), st.integers(0, 2**32))
def test_every_kernel_but_the_logits_is_written_by_one_group(name: str, seed: int) -> None:
    space = find_space(name)
    graph = space.graph(space.random(np.random.default_rng(seed)), (17, 12, 3), 4)
    groups = channel_groups(graph)
    uses = [use for group in groups for use in group.uses if use.role is ChannelRole.WRITES]
    weighted = [
        i for i, op in enumerate(graph.operators) if op.kind in (_K.CONV_2D, _K.FULLY_CONNECTED)
    ]
    # What meets the input's channels (in a sum with a depthwise layer on the input) stays.
    tied = [i for i in weighted if graph.tensors[graph.operators[i].output].shape[-1] == 3]
    found = [use.operator for use in uses]
    assert len(set(found)) == len(found)
    assert set(weighted[:-1]) - set(tied) <= set(found) <= set(weighted[:-1])
    for use in uses:
        assert sorted(use.channels) == list(range(len(use.channels)))


def test_everything_kept_changes_nothing() -> None:
    space = find_space("cnn+")
    graph = space.graph(space.random(np.random.default_rng(3)), (12, 12, 3), 4)
    groups = channel_groups(graph)
    keep = [np.ones(group.size, bool) for group in groups]
    assert prune_graph(graph, groups, keep) == graph
    assert kept_elements(graph, groups, keep) == {}


def test_one_channel_a_group_is_the_smallest_network() -> None:
    space = find_space("cnn")
    graph = space.graph(space.random(np.random.default_rng(3)), (28, 28, 1), 10)
    groups = channel_groups(graph)
    keep = [np.arange(group.size) == group.size - 1 for group in groups]
    smallest = prune_graph(graph, groups, keep)
    for before, after in zip(graph.operators, smallest.operators, strict=True):
        shape = smallest.tensors[after.output].shape
        assert (before.kind, before.inputs) == (after.kind, after.inputs)
        if after.output not in graph.outputs and after.kind is not _K.RESHAPE:
            # What reads the input without a kernel between (a pool) keeps the input's channels.
            assert shape[-1] == 1
    assert footprint(smallest).model_size_bytes < footprint(graph).model_size_bytes


def test_what_meets_in_a_sum_is_one_group() -> None:
    s = Sketch((1, 6, 6, 2))
    left, right = _conv(s, 0, 5), _conv(s, 0, 5, kernel=1)
    total = s.operator(_K.ADD, (left, right), (1, 6, 6, 5), AddOptions())
    flat = s.operator(_K.MEAN, (total, s.words(2)), (1, 5), MeanOptions((1, 2)))
    graph = s.graph(s.dense(flat, 3))
    (group,) = channel_groups(graph)
    assert group.size == 5
    found = [(use.operator, use.role) for use in group.uses]
    roles = ChannelRole
    assert found == [
        (0, roles.WRITES),
        (0, roles.BIAS),
        (1, roles.WRITES),
        (1, roles.BIAS),
        (4, roles.READS),
    ]
    _check_same_function(graph, 0)


def test_flattened_channels_repeat_from_pixel_to_pixel() -> None:
    space = find_space("cnn", {"blocks": [1, 1], "layers": [1, 1], "p_pooling": 0})
    graph = space.graph(space.random(np.random.default_rng(4)), (8, 8, 2), 3)
    groups = channel_groups(graph)
    (reads,) = [u for u in groups[0].uses if u.role is ChannelRole.READS]
    pixels = np.arange(len(reads.channels)) // groups[0].size
    assert (reads.channels + pixels * groups[0].size == np.arange(len(reads.channels))).all()


def test_a_sum_with_the_input_keeps_its_channels() -> None:
    s = Sketch((1, 6, 6, 2))
    total = s.operator(_K.ADD, (_conv(s, 0, 2), 0), (1, 6, 6, 2), AddOptions())
    assert channel_groups(s.graph(s.dense(total, 3))) == ()


def test_a_concatenation_reads_two_groups_and_a_sum_with_it_makes_them_one() -> None:
    def network(*, with_sum: bool) -> Graph:
        s = Sketch((1, 4, 4, 1))
        parts = (_conv(s, 0, 2), _conv(s, 0, 3))
        x = s.operator(_K.CONCATENATION, parts, (1, 4, 4, 5), ConcatenationOptions(3))
        if with_sum:
            x = s.operator(_K.ADD, (x, _conv(s, 0, 5)), (1, 4, 4, 5), AddOptions())
        return s.graph(s.dense(x, 3))

    groups = channel_groups(network(with_sum=False))
    assert [group.size for group in groups] == [2, 3]
    assert [group.size for group in channel_groups(network(with_sum=True))] == [5]
    for with_sum in (False, True):
        _check_same_function(network(with_sum=with_sum), 1)


def test_what_is_looked_at_together_stays() -> None:
    s = Sketch((1, 4, 4, 1))
    x = s.operator(_K.SOFTMAX, (_conv(s, 0, 3),), (1, 4, 4, 3), SoftmaxOptions())
    graph = s.graph(s.dense(_conv(s, x, 4), 2))
    assert [group.size for group in channel_groups(graph)] == [4]
    s = Sketch((1, 4, 4, 1))
    x = s.operator(_K.MEAN, (_conv(s, 0, 4), s.words(1)), (1, 4, 4), MeanOptions((3,)))
    assert channel_groups(s.graph(s.dense(x, 2))) == ()


def test_a_kernel_of_two_operators_stays() -> None:
    s = Sketch((1, 4, 4, 2))
    inputs = (s.constant(2, 1, 1, 2), s.words(2))
    x = s.operator(_K.CONV_2D, (0, *inputs), (1, 4, 4, 2), ConvOptions())
    y = s.operator(_K.CONV_2D, (x, *inputs), (1, 4, 4, 2), ConvOptions())
    assert channel_groups(s.graph(s.dense(y, 2))) == ()


def test_channels_are_followed_through_every_operator() -> None:
    """A depth multiplier of 2, concatenation, flattening, mean, sums: all tied to four channels."""
    graph = every_operator()
    (group,) = channel_groups(graph)
    assert group.size == 4
    smaller = prune_graph(graph, [group], [np.array([True, False, True, True])])
    for op in graph.operators[:-2]:
        before, after = (g.tensors[op.output].shape for g in (graph, smaller))
        assert after == (*before[:-1], before[-1] * 3 // 4)
    for op in graph.operators[-2:]:  # logits and SOFTMAX
        assert smaller.tensors[op.output].shape == graph.tensors[op.output].shape


def test_masks_must_fit() -> None:
    space = find_space("mlp")
    graph = space.graph(space.random(np.random.default_rng(0)), (8, 8, 1), 3)
    groups = channel_groups(graph)
    keep = [np.ones(group.size, bool) for group in groups]
    with pytest.raises(ArchitectureError, match="one mask a group"):
        prune_graph(graph, groups, keep[1:])
    with pytest.raises(ArchitectureError, match=r"group 0 of \d+ channels would be empty; keep"):
        prune_graph(graph, groups, [~keep[0], *keep[1:]])
