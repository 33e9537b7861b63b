# SPDX-License-Identifier: Apache-2.0
"""Peak memory: exact against its definition, on any small graph and on those of the space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.memory_graphs import any_graphs, fork_join, random_fork_join
from tests.unit.memory_oracle import MemoryOracle
from unas.graph import ConvOptions, Graph, Tensor
from unas.graph.builder import GraphBuilder
from unas.resources.liveness import Liveness, analyse
from unas.resources.order_search import PeakMemory, peak_memory
from unas.space.build import build_graph
from unas.space.cnn import CNN_SPACE, random_architecture
from unas.space.ranges import IntRange

_FLAGS = st.booleans()


def _check(graph: Graph, expected: int, oracle: MemoryOracle, found: PeakMemory) -> None:
    assert found.bytes == expected
    graph.reordered(found.order)  # raises if the order cannot run
    assert oracle.peak_of(found.order) == found.bytes


@settings(max_examples=150, deadline=None, derandomize=True)
@given(graph=any_graphs(max_operators=6), count_input=_FLAGS, in_place_add=_FLAGS)
def test_equals_the_best_of_all_orders(graph: Graph, count_input: bool, in_place_add: bool) -> None:
    oracle = MemoryOracle(graph, count_input=count_input, in_place_add=in_place_add)
    found = peak_memory(graph, count_input=count_input, in_place_add=in_place_add)
    _check(graph, oracle.lowest_peak_of_all_orders(), oracle, found)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(graph=any_graphs(max_operators=9), count_input=_FLAGS, in_place_add=_FLAGS)
def test_equals_the_best_of_all_sets(graph: Graph, count_input: bool, in_place_add: bool) -> None:
    oracle = MemoryOracle(graph, count_input=count_input, in_place_add=in_place_add)
    found = peak_memory(graph, count_input=count_input, in_place_add=in_place_add)
    _check(graph, oracle.lowest_peak_of_all_sets(), oracle, found)


def _lowest_peak(live: Liveness) -> int:
    """Every set of executed operators, by size: fast enough for many branches."""
    reached = {0: (live.start_bytes, live.start_bytes)}  # executed set: live bytes, lowest peak
    for _ in live.steps:
        grown: dict[int, tuple[int, int]] = {}
        for done, (now, peak) in reached.items():
            for i, step in enumerate(live.steps):
                if done >> i & 1 or step.before & ~done:
                    continue
                more = done | 1 << i
                cost = max(peak, now + step.growth)
                after = now + step.kept - step.freed(more)
                grown[more] = (after, min(cost, grown.get(more, (0, cost))[1]))
        reached = grown
    return min(peak for _, peak in reached.values())


def test_is_exact_on_many_parallel_branches() -> None:
    rng = np.random.default_rng(11)
    for _ in range(400):
        graph = random_fork_join(rng)
        in_place_add = bool(rng.random() < 0.3)
        live = analyse(graph, count_input=True, in_place_add=in_place_add)
        found = peak_memory(graph, count_input=True, in_place_add=in_place_add)
        graph.reordered(found.order)
        assert found.bytes == _lowest_peak(live) == max(live.working_sets(found.order))


@pytest.mark.parametrize(
    ("source", "branches", "summand"),
    [
        # Two steps have to be allowed one after the other before the third branch may start last.
        (4, [[], [], [2, 1, 6], [3, 3]], 1),
        # States are reached twice, by a good way and later by a bad one.
        (6, [[2, 5, 2], [], [2, 8, 2, 7], [3, 7, 2, 6, 1], [1]], 3),
        (24, [[3, 4, 7, 1, 6], [8, 2, 2, 4], [], [4, 8], [6, 2, 8, 4, 8]], 1),
        (63, [[27, 55], [30], [46, 18], [57]], 26),
    ],
)
def test_is_exact_where_it_once_was_not(
    source: int, branches: list[list[int]], summand: int
) -> None:
    graph = fork_join(source, branches, summand)
    for in_place_add in (True, False):
        live = analyse(graph, count_input=True, in_place_add=in_place_add)
        found = peak_memory(graph, count_input=True, in_place_add=in_place_add)
        assert found.bytes == _lowest_peak(live) == max(live.working_sets(found.order))


def test_is_exact_on_architectures_of_the_space() -> None:
    rng = np.random.default_rng(7)
    checked = 0
    while checked < 10:
        arch = random_architecture(rng)
        graph = build_graph(arch, (32, 32, 3), 10)
        # The oracle is exponential: leave it the networks with few parallel operators.
        if sum(block.parallel for block in arch.blocks) > 3 or len(graph.operators) > 26:
            continue
        for count_input in (True, False):
            oracle = MemoryOracle(graph, count_input=count_input, in_place_add=True)
            found = peak_memory(graph, count_input=count_input, in_place_add=True)
            _check(graph, oracle.lowest_peak_of_all_sets(), oracle, found)
        checked += 1


@pytest.mark.parametrize("in_place_add", [True, False])
def test_never_worse_than_the_listed_order_and_never_below_one_operator(
    in_place_add: bool,
) -> None:
    rng = np.random.default_rng(3)
    wide = replace(CNN_SPACE, blocks=IntRange(10, 10), layers=IntRange(3, 3), p_parallel=1.0)
    for space in [CNN_SPACE] * 10 + [wide] * 3:
        graph = build_graph(random_architecture(rng, space), (48, 48, 3), 10)
        live = analyse(graph, count_input=True, in_place_add=in_place_add)
        found = peak_memory(graph, count_input=True, in_place_add=in_place_add)
        assert found.bytes <= max(live.working_sets(range(len(graph.operators))))
        assert found.bytes == max(live.working_sets(found.order))
        for op, step in zip(graph.operators, live.steps, strict=True):
            read = sum(graph.tensors[x].size_bytes for x in graph.activations_of(op))
            assert found.bytes >= read + step.growth


def test_keeps_the_listed_order_where_nothing_is_gained() -> None:
    rng = np.random.default_rng(0)
    serial = replace(CNN_SPACE, p_parallel=0.0)
    graph = build_graph(random_architecture(rng, serial), (32, 32, 3), 10)
    found = peak_memory(graph, count_input=True, in_place_add=False)
    assert found.order == tuple(range(len(graph.operators)))


def test_a_graph_without_operators_holds_its_input() -> None:
    graph = Graph((Tensor("x", (1, 8, 8, 3)),), (), (0,), (0,))
    assert peak_memory(graph, count_input=True, in_place_add=False) == PeakMemory(192, ())
    assert peak_memory(graph, count_input=False, in_place_add=False) == PeakMemory(0, ())


def _two_convolutions_added(second_reader: bool) -> Graph:
    builder = GraphBuilder()
    x = builder.input("x", (1, 8, 8, 1))
    left = builder.conv("left", x, filters=4, kernel=1, options=ConvOptions())
    right = builder.conv("right", x, filters=4, kernel=1, options=ConvOptions())
    total = builder.add("total", left, right)
    if second_reader:
        return builder.finish(total, builder.add("again", left, right))
    return builder.finish(total)


def test_an_addition_in_place_needs_no_third_buffer() -> None:
    graph = _two_convolutions_added(second_reader=False)
    summand = 8 * 8 * 4
    assert peak_memory(graph, count_input=False, in_place_add=False).bytes == 3 * summand
    assert peak_memory(graph, count_input=False, in_place_add=True).bytes == 2 * summand
    # With the input counted, the second convolution is the peak.
    assert peak_memory(graph, count_input=True, in_place_add=True).bytes == 2 * summand + 64


def test_an_addition_keeps_what_another_operator_reads() -> None:
    graph = _two_convolutions_added(second_reader=True)
    assert peak_memory(graph, count_input=False, in_place_add=True).bytes == 4 * 8 * 8 * 4


def test_a_reshape_copies_nothing() -> None:
    builder = GraphBuilder()
    x = builder.input("x", (1, 8, 8, 1))
    y = builder.conv("y", x, filters=4, kernel=1, options=ConvOptions())
    graph = builder.finish(builder.flatten("flat", y))
    assert peak_memory(graph, count_input=False, in_place_add=False).bytes == 8 * 8 * 4
