# SPDX-License-Identifier: Apache-2.0
"""The search for a smaller plan of the arena, against every order there is."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.arena_first_fit import first_fit_bytes, first_fit_offsets, least_bytes, plan_bytes
from tests.unit.arena_networks import random_networks
from unas.arena.liveness import buffers_of
from unas.arena.search import (
    DEVICE_NODE_LIMIT,
    PREDICTION_NODE_LIMIT,
    ArenaPlan,
    heights_of,
    lower_bound,
    search_plan,
)
from unas.names import KernelSet

HUGE = 1 << 20
Groups = dict[int, dict[int, int]]


@st.composite
def _groups(draw: st.DrawFn, max_groups: int = 6) -> Groups:
    """Groups whose height changes while they live; their indices are not in order."""
    groups = {}
    for index in draw(st.lists(st.integers(0, 99), min_size=1, max_size=max_groups, unique=True)):
        first = draw(st.integers(0, 6))
        sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
        groups[index] = {first + i: 16 * size for i, size in enumerate(sizes)}
    return groups


def _check_apart(groups: Groups, plan: ArenaPlan) -> None:
    for one, other in itertools.combinations(groups, 2):
        for step in groups[one].keys() & groups[other].keys():
            low, high = sorted((one, other), key=lambda index: plan.offsets[index])
            assert plan.offsets[low] + groups[low][step] <= plan.offsets[high]
    assert plan_bytes(groups, plan.offsets) == plan.bytes


@settings(max_examples=150)
@given(_groups())
def test_a_search_to_the_end_is_optimal(groups: Groups) -> None:
    plan = search_plan(groups, known_bytes=HUGE, node_limit=DEVICE_NODE_LIMIT)
    assert plan is not None
    assert sorted(plan.order) == sorted(groups)
    assert plan.bytes == least_bytes(groups) >= lower_bound(groups.values())
    _check_apart(groups, plan)
    assert search_plan(groups, known_bytes=plan.bytes, node_limit=DEVICE_NODE_LIMIT) is None


@settings(max_examples=200)
@given(_groups(max_groups=12), st.sampled_from((PREDICTION_NODE_LIMIT, DEVICE_NODE_LIMIT // 10)))
def test_the_order_of_a_plan_gives_no_larger_one(groups: Groups, node_limit: int) -> None:
    """A device that is handed the order needs no more than was planned."""
    plan = search_plan(groups, known_bytes=HUGE, node_limit=node_limit)
    if plan is None:
        return  # the nodes did not last for one way down
    _check_apart(groups, plan)
    assert first_fit_bytes(groups, plan.order) <= plan.bytes
    offsets = first_fit_offsets(groups, plan.order)
    assert all(offsets[index] <= plan.offsets[index] for index in groups)


@settings(max_examples=100)
@given(_groups(max_groups=12))
def test_more_nodes_never_give_a_larger_plan(groups: Groups) -> None:
    few, many = (
        search_plan(groups, known_bytes=HUGE, node_limit=limit)
        for limit in (PREDICTION_NODE_LIMIT, DEVICE_NODE_LIMIT // 10)
    )
    assert few is None or (many is not None and many.bytes <= few.bytes)


def test_no_node_is_spent_beyond_the_limit() -> None:
    """Two groups take two nodes; one is no plan."""
    groups = {0: {0: 16}, 1: {0: 16}}
    assert search_plan(groups, known_bytes=HUGE, node_limit=1) is None
    plan = search_plan(groups, known_bytes=HUGE, node_limit=2)
    assert plan == ArenaPlan(32, {0: 0, 1: 16})


@pytest.mark.parametrize("kernels", list(KernelSet))
def test_the_bound_of_a_network_is_that_of_its_groups(kernels: KernelSet) -> None:
    """The search takes its own bound from the heights: it must be the one that is reported."""
    for graph in random_networks(30, seed=4):
        buffers = buffers_of(graph, kernels)
        heights = [heights_of(group.spans) for group in buffers.groups]
        assert lower_bound(heights) == buffers.bound_bytes
