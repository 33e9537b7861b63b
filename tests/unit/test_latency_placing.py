# SPDX-License-Identifier: Apache-2.0
"""Places of kernels against the runtime's own plan, made by its C code on the host."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from unas.cost.operators import ArenaLayout, calls_of, fast_bytes_of
from unas.errors import StoreError
from unas.graph import Graph
from unas.hil.arena_probe import offline_order
from unas.host.runtime import HostBuffer, list_buffers
from unas.space.cnn import CNN_SPACE, random_architecture
from unas.tflite.order import exported_graph
from unas.tflite.writer import write_flatbuffer

FAST = 20_000
SHAPE = (32, 32, 3)


def _graphs(count: int) -> list[Graph]:
    graphs = []
    for seed in range(count):
        rng = np.random.default_rng([17, seed])
        graphs.append(exported_graph(random_architecture(rng, CNN_SPACE), SHAPE, 10))
    return graphs


def _widest(buffers: Sequence[HostBuffer], me: HostBuffer, step: int, top: int) -> tuple[int, int]:
    """(bytes, offset) of the widest gap at a step, from the C code's offsets."""
    taken = np.zeros(top, dtype=bool)
    for one in buffers:
        if one.index != me.index and one.first <= step <= one.last:
            taken[one.at : one.at + one.bytes] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[True], taken, [True]]).astype(int)))
    gaps = [
        (int(end - start), int(start)) for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]
    return max(gaps, key=lambda gap: gap[0], default=(0, 0))


@pytest.mark.parametrize("graph", _graphs(12))
def test_working_memory_and_offsets_are_the_runtimes(graph: Graph) -> None:
    model = write_flatbuffer(graph, seed=1, name="net").data
    order = offline_order(model, "dsp")
    buffers = list_buffers(model, arena_bytes=1 << 23, kernels="dsp", order=order)
    by_index = {one.index: one for one in buffers}
    top = max(one.at + one.bytes for one in buffers)
    for step, (op, call) in enumerate(
        zip(graph.operators, calls_of(graph, ArenaLayout("dsp", FAST)), strict=True)
    ):
        source, target = by_index.get(op.inputs[0]), by_index[op.output]
        assert call.placement.in_place == (source is not None and source.owner == target.owner)
        beyond = max(target.at + call.kernel.outputs - FAST, 0) / call.kernel.outputs
        assert call.placement.slow_output == min(beyond, 1.0)
        scratch = by_index.get(len(graph.tensors) + step)
        if scratch is None or scratch.bytes == 0:
            assert call.placement.scratch_bytes == 0
            continue
        room, at = _widest(buffers, scratch, step, top)
        assert call.placement.scratch_bytes == room
        near = call.placement.fast_scratch
        assert (room if near is None else near) == max(min(FAST - at, room), 0) or near == FAST - at


def test_foreign_kernels_have_no_known_place() -> None:
    (graph,) = _graphs(1)
    assert all(
        call.placement.scratch_bytes is None for call in calls_of(graph, ArenaLayout("cmsis-nn", 0))
    )


def test_the_fast_part_of_an_arena_follows_from_the_memory_map() -> None:
    dtcm, sram = (0x2000_0000, 0x1_0000, True), (0x2001_0000, 0x4_0000, False)
    assert fast_bytes_of([dtcm, sram], 0x5_0000 - 0x4000) == 0x1_0000 - 0x4000
    assert fast_bytes_of([dtcm, sram], 0x1000) == 0
    assert fast_bytes_of([dtcm], 0x1000) is None


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(StoreError):
        ArenaLayout("dsp", -1)
