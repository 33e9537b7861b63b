# SPDX-License-Identifier: Apache-2.0
"""Plans of the arena: the device's own, those the host finds, and outputs written in place."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.firmware.random_graphs import ADD, Sketch, draw_network
from tests.unit.arena_first_fit import first_fit_bytes
from unas.arena.search import lower_bound
from unas.errors import UnsupportedOperatorError
from unas.graph import AddOptions, Graph, OperatorKind
from unas.hil.arena_probe import buffer_groups, offline_order
from unas.host.runtime import HostBuffer, HostRun, list_buffers, run_on_host
from unas.tflite.writer import write_flatbuffer

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no host C compiler (cc)")

PLENTY = 1 << 20
KERNELS = ("plain", "dsp")
NETWORKS = 40


def _network(seed: int, most: int = 20) -> tuple[Graph, bytes, bytes]:
    """A network that the runtime can run (a softmax of an odd scale it cannot)."""
    for attempt in itertools.count():
        rng = np.random.default_rng([seed, 51, attempt])
        graph = draw_network(rng, int(rng.integers(1, most)))
        model = write_flatbuffer(graph, seed=seed, name="network").data
        input_bytes = rng.bytes(graph.tensors[graph.inputs[0]].elements)
        try:
            run_on_host(model, input_bytes, arena_bytes=PLENTY)
        except UnsupportedOperatorError:
            continue
        return graph, model, input_bytes
    raise AssertionError


def _planned(run: HostRun) -> int:
    return run.tensor_bytes + run.scratch_bytes


def _check_places(buffers: Sequence[HostBuffer]) -> int:
    """No two that live at once overlap, but those that share bytes. Gives where the last ends."""
    place = {one.index: one.at for one in buffers}
    for one in buffers:
        assert one.at % 16 == 0
        assert one.at == place[one.owner]
    for one, other in itertools.combinations(buffers, 2):
        meet = one.first <= other.last and other.first <= one.last
        if meet and one.owner != other.owner:
            assert one.at + one.bytes <= other.at or other.at + other.bytes <= one.at
    return max(one.at + one.bytes for one in buffers)


@pytest.mark.parametrize("kernels", KERNELS)
def test_buffers_that_live_at_once_lie_apart(kernels: str) -> None:
    shared = 0
    for seed in range(NETWORKS):
        _, model, input_bytes = _network(seed)
        run = run_on_host(model, input_bytes, arena_bytes=PLENTY, kernels=kernels)
        buffers = list_buffers(model, arena_bytes=PLENTY, kernels=kernels)
        assert _check_places(buffers) == _planned(run)
        assert run.bound_bytes == lower_bound(buffer_groups(buffers).values()) <= _planned(run)
        assert run.plan == "greedy"
        shared += sum(one.owner != one.index for one in buffers)
    assert shared > 0  # this would prove little if nothing were written in place


def test_the_host_finds_smaller_plans_and_the_device_uses_them() -> None:
    better = 0
    for seed in range(NETWORKS):
        _, model, input_bytes = _network(seed, most=25)
        greedy = run_on_host(model, input_bytes, arena_bytes=PLENTY)
        order = offline_order(model, "plain")
        if not order:
            continue
        better += 1
        found = run_on_host(model, input_bytes, arena_bytes=PLENTY, order=order)
        buffers = list_buffers(model, arena_bytes=PLENTY, order=order)
        assert found.plan == "offline"
        assert found.output == greedy.output
        assert greedy.bound_bytes <= _planned(found) < _planned(greedy)
        assert _check_places(buffers) == _planned(found)
        assert first_fit_bytes(buffer_groups(buffers), order) == _planned(found)
        exact = found.arena_used_bytes
        assert run_on_host(model, input_bytes, arena_bytes=exact, order=order) == found
    assert better > 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 9), st.lists(st.integers(0, 65535) | st.integers(0, 40), max_size=60))
def test_whatever_order_is_given_the_plan_is_good(seed: int, order: list[int]) -> None:
    _, model, input_bytes = _network(seed)
    own = run_on_host(model, input_bytes, arena_bytes=PLENTY)
    advised = run_on_host(model, input_bytes, arena_bytes=PLENTY, order=order)
    assert advised.output == own.output
    assert _planned(advised) <= _planned(own)
    assert (advised.plan == "offline") == (_planned(advised) < _planned(own))
    _check_places(list_buffers(model, arena_bytes=PLENTY, order=order))


def test_an_order_is_forgotten_after_use() -> None:
    _, model, input_bytes = _network(0)
    run_on_host(model, input_bytes, arena_bytes=PLENTY, order=(3, 1))
    assert run_on_host(model, input_bytes, arena_bytes=PLENTY).plan == "greedy"


def test_no_order_without_a_model_or_for_unknown_kernels() -> None:
    assert offline_order(b"no model", "plain") == ()
    assert offline_order(_network(0)[1], "cmsis-nn") == ()


def _owners(graph: Graph) -> dict[int, int]:
    model = write_flatbuffer(graph, seed=0, name="network").data
    buffers = list_buffers(model, arena_bytes=PLENTY)
    _check_places(buffers)
    return {one.index: one.owner for one in buffers}


def _sum(sketch: Sketch, a: int, b: int) -> int:
    shape = sketch.shape(a)
    return sketch.append(OperatorKind.ADD, (a, b), shape, AddOptions())


def test_a_sum_lies_on_the_input_that_dies() -> None:
    sketch = Sketch(np.random.default_rng(0))
    x = sketch.input((1, 4, 4, 4))
    a = ADD[OperatorKind.QUANTIZE](sketch, x)
    b = ADD[OperatorKind.SOFTMAX](sketch, x)
    first = _sum(sketch, a, b)  # a is read again, b is not
    second = _sum(sketch, a, first)
    owners = _owners(sketch.finish(second))
    assert owners[first] == owners[b]
    assert owners[second] == owners[a]


def test_the_models_output_is_not_overwritten() -> None:
    """An operator behind it reads it last, but the caller reads it later."""
    sketch = Sketch(np.random.default_rng(0))
    x = sketch.input((1, 4, 4, 4))
    a = ADD[OperatorKind.SOFTMAX](sketch, x)
    b = ADD[OperatorKind.QUANTIZE](sketch, a)
    owners = _owners(sketch.finish(a))
    assert owners[b] != owners[a]


def test_a_constant_is_not_overwritten() -> None:
    sketch = Sketch(np.random.default_rng(0))
    x = sketch.input((1, 4, 4, 4))
    total = _sum(sketch, sketch.constant((1, 4, 4, 4)), x)
    owners = _owners(sketch.finish(total))
    assert owners[total] == owners[x]
