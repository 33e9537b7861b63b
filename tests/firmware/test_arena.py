# SPDX-License-Identifier: Apache-2.0
"""The arena: what the runtime says it uses is what it needs, to the byte."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from tests.firmware.random_graphs import ADD, Sketch, draw_network
from unas.errors import ArenaTooSmallError
from unas.graph import Graph, OperatorKind
from unas.host.runtime import HostRun, run_on_host
from unas.tflite.writer import write_flatbuffer

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no host C compiler (cc)")

ALIGNMENT = 16
PLENTY = 1 << 20


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _network(seed: int) -> tuple[Graph, bytes, bytes]:
    rng = np.random.default_rng([seed, 21])
    graph = draw_network(rng, int(rng.integers(1, 12)))
    model = write_flatbuffer(graph, seed=seed, name="network").data
    return graph, model, rng.bytes(graph.tensors[graph.inputs[0]].elements)


def _run(graph: Graph) -> HostRun:
    model = write_flatbuffer(graph, seed=0, name="network").data
    return run_on_host(model, bytes(graph.tensors[graph.inputs[0]].elements), arena_bytes=PLENTY)


def _needed(model: bytes, input_bytes: bytes, arena_bytes: int) -> int:
    with pytest.raises(ArenaTooSmallError) as caught:
        run_on_host(model, input_bytes, arena_bytes=arena_bytes)
    numbers = re.findall(r"\d+", str(caught.value))
    assert int(numbers[0]) == arena_bytes
    return int(numbers[1])


@pytest.mark.parametrize("seed", range(25))
def test_the_arena_in_use_is_exactly_what_is_needed(seed: int) -> None:
    _, model, input_bytes = _network(seed)
    ample = run_on_host(model, input_bytes, arena_bytes=PLENTY)
    used = ample.arena_used_bytes
    assert run_on_host(model, input_bytes, arena_bytes=used) == ample
    assert _needed(model, input_bytes, used - ALIGNMENT) == used
    parts = ample.tensor_bytes + ample.scratch_bytes + ample.persistent_bytes
    assert parts <= used < parts + ALIGNMENT


@pytest.mark.parametrize("seed", range(5))
def test_what_a_small_arena_is_told_to_need_is_enough(seed: int) -> None:
    _, model, input_bytes = _network(seed)
    ample = run_on_host(model, input_bytes, arena_bytes=PLENTY)
    for arena_bytes in (0, 1, ALIGNMENT, 100, ample.persistent_bytes, ample.arena_used_bytes - 1):
        needed = _needed(model, input_bytes, arena_bytes)
        assert needed >= ample.arena_used_bytes
        assert run_on_host(model, input_bytes, arena_bytes=needed).output == ample.output


def _least_bytes(graph: Graph) -> int:
    """What no plan can go below: the most that lives at once.

    RESHAPE's output is its input's bytes. Another operator may write onto an input that no one
    reads later and that is not smaller; here each does.
    """
    owner = list(range(len(graph.tensors)))
    for op in graph.operators:
        if op.kind is OperatorKind.RESHAPE:
            owner[op.output] = owner[op.inputs[0]]
    size = [_aligned(tensor.size_bytes) for tensor in graph.tensors]
    first = {owner[i]: 0 for i in graph.inputs}
    last = dict(first)
    for position, op in enumerate(graph.operators):
        for tensor in (*graph.activations_of(op), op.output):
            first.setdefault(owner[tensor], position)
            last[owner[tensor]] = position
    last[owner[graph.outputs[0]]] = len(graph.operators)
    most = 0
    for at, op in enumerate(graph.operators):
        live = sum(size[t] for t in first if first[t] <= at <= last[t])
        dying = [owner[t] for t in graph.activations_of(op) if last[owner[t]] == at]
        onto = any(size[t] >= size[op.output] for t in dying if t != owner[op.output])
        most = max(most, live - size[op.output] * onto)
    return most


def test_the_plan_is_near_the_lower_bound() -> None:
    ratios = []
    for seed in range(150):
        graph, model, input_bytes = _network(seed)
        run = run_on_host(model, input_bytes, arena_bytes=PLENTY)
        planned = run.tensor_bytes + run.scratch_bytes
        assert _least_bytes(graph) <= run.bound_bytes <= planned
        ratios.append(planned / run.bound_bytes)
    assert np.mean(ratios) < 1.01
    assert max(ratios) < 1.3


def test_reshape_takes_no_bytes() -> None:
    sketch = Sketch(np.random.default_rng(0))
    x = sketch.input((1, 8, 8, 4))
    plain = _run(sketch.finish(ADD[OperatorKind.RELU](sketch, x)))
    sketch = Sketch(np.random.default_rng(0))
    x = sketch.input((1, 8, 8, 4))
    for _ in range(3):
        x = ADD[OperatorKind.RESHAPE](sketch, x)
    reshaped = _run(sketch.finish(ADD[OperatorKind.RELU](sketch, x)))
    assert reshaped.tensor_bytes == plain.tensor_bytes


def test_mean_asks_for_its_sums() -> None:
    sketch = Sketch(np.random.default_rng(0))
    run = _run(sketch.finish(ADD[OperatorKind.MEAN](sketch, sketch.input((1, 3)))))
    assert run.operators == ("MEAN",)
    assert run.scratch_bytes > 0
