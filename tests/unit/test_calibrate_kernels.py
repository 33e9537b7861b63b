# SPDX-License-Identifier: Apache-2.0
"""Single operators as networks of their own, and measurements as samples."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.synthetic_board import calls_of, network, sample
from unas.board import Board, load_board
from unas.calibration.draw import single_kernel, single_kernels
from unas.calibration.learn import (
    CalibrationContext,
    check_one_kind,
    kernel_sample_of,
    layout_of,
    merged,
)
from unas.cost.operators import ArenaLayout, Call, Placement, kernel_of, kernels
from unas.errors import StoreError
from unas.graph import OperatorKind
from unas.record import Measurement, OperatorCycles, Provenance
from unas.store.measurements import sample_from_json_dict, sample_of, sample_to_json_dict
from unas.testing.contracts import example_measurement
from unas.tflite.reader import read_flatbuffer

GRAPHS = [network(i) for i in range(12)]
BENCHMARKS = single_kernels(GRAPHS)
NEAR = ArenaLayout("unknown")


def test_a_kernel_alone_is_the_kernel_in_its_network() -> None:
    kinds = set()
    for benchmark in BENCHMARKS:
        graph = read_flatbuffer(benchmark.model().data, benchmark.name)
        (op,) = graph.operators
        # Alone, every operator reads the network's input.
        assert kernel_of(graph, op) == replace(benchmark.kernel, first=True)
        assert benchmark.calls(NEAR) == (Call(benchmark.kernel),)
        kinds.add(op.kind)
    assert {OperatorKind.CONV_2D, OperatorKind.DEPTHWISE_CONV_2D, OperatorKind.PAD} <= kinds


def test_every_signature_is_there_once_under_a_lasting_name() -> None:
    found = {benchmark.kernel for benchmark in BENCHMARKS}
    assert len(found) == len(BENCHMARKS) == len({benchmark.name for benchmark in BENCHMARKS})
    assert found <= {kernel for graph in GRAPHS for kernel in kernels(graph)}
    again = single_kernels(reversed(GRAPHS))
    assert {b.name: b.model() for b in again} == {b.name: b.model() for b in BENCHMARKS}


def test_what_is_not_the_same_work_alone_is_left_to_networks() -> None:
    kinds = {op.kind for graph in GRAPHS for op in graph.operators}
    assert OperatorKind.ADD in kinds
    for graph in GRAPHS:
        for op in graph.operators:
            kernel = kernel_of(graph, op)
            short = kernel.inputs + kernel.outputs + kernel.macs < 10_000
            alone = single_kernel(graph, op)
            assert (alone is None) == (short or op.kind is OperatorKind.ADD)


def test_its_flash_is_known_well_enough_to_fill_images() -> None:
    for benchmark in BENCHMARKS:
        true = benchmark.model().flatbuffer_bytes
        assert abs(benchmark.flash_bytes - true) <= 0.25 * true + 500


def _measured(names: list[str], cycles: int = 100) -> Measurement:
    operators = tuple(OperatorCycles(i, name, cycles + i) for i, name in enumerate(names))
    return replace(example_measurement(), operators=operators)


def test_a_sample_holds_what_was_measured() -> None:
    graph = GRAPHS[0]
    measurement = _measured([str(op.kind) for op in graph.operators])
    found = sample_of(measurement, graph, NEAR)
    assert found.calls == calls_of(graph)
    assert found.operator_cycles == tuple(float(op.cycles) for op in measurement.operators)
    assert found.cycles == measurement.median_cycles
    assert found.is_network


def test_operators_of_another_network_are_refused() -> None:
    names = [str(op.kind) for op in GRAPHS[0].operators]
    with pytest.raises(StoreError, match="measure it again"):
        sample_of(_measured([*names, "SOFTMAX"]), GRAPHS[0], NEAR)


def test_a_kernel_sample_remembers_where_it_came_from() -> None:
    (first,) = [b for b in single_kernels(GRAPHS[:1]) if b.kernel.first][:1]
    found = kernel_sample_of(_measured([str(first.kernel.kind)]), first, NEAR)
    assert not found.is_network
    assert found.calls == (Call(first.kernel),)


def test_equal_kernels_become_their_mean_and_networks_stay() -> None:
    calls = calls_of(GRAPHS[0])
    alone = [Call(calls[0].kernel)]
    slow, fast = sample("a", alone, is_network=False), sample("b", alone, is_network=False)
    fast = replace(fast, cycles=slow.cycles / 3, operator_cycles=(slow.cycles / 3,))
    far = replace(slow, name="far", calls=(Call(calls[0].kernel, Placement(slow_input=1.0)),))
    nets = [sample("n", calls), sample("m", calls)]
    found = merged([nets[0], slow, fast, far, nets[1]])
    assert [one.name for one in found] == ["n", "a", "far", "m"]
    assert found[1].cycles == pytest.approx(slow.cycles * 2 / 3)
    assert found[1].operator_cycles == pytest.approx((slow.cycles * 2 / 3,))


@given(st.integers(0, 11), st.floats(0, 1), st.none() | st.integers(0, 10**6), st.booleans())
def test_a_sample_survives_json(
    index: int, far: float, scratch: int | None, is_network: bool
) -> None:
    calls = [
        Call(call.kernel, Placement(scratch, far, far / 2)) for call in calls_of(GRAPHS[index])
    ]
    one = sample("x", calls, is_network=is_network)
    assert sample_from_json_dict(json.loads(json.dumps(sample_to_json_dict(one)))) == one


def test_a_broken_sample_is_refused() -> None:
    data = sample_to_json_dict(sample("x", calls_of(GRAPHS[0])))
    for broken in ({"name": "x"}, data | {"calls": [{"kind": "CONV_2D"}]}, data | {"cycles": "?"}):
        with pytest.raises(StoreError, match=r"^a sample: '(is_network|calls|cycles)"):
            sample_from_json_dict(broken)


def test_where_the_arena_lies_follows_from_the_board(f746: Board) -> None:
    """What the program keeps for itself stands before the arena, in the fastest region."""
    data = [region for region in f746.memory if region.use == "data"]
    own = 20_000
    capacity = sum(region.size_bytes for region in data) - own
    arena = replace(example_measurement().arena, capacity_bytes=capacity)
    measurement = replace(example_measurement(), arena=arena, kernels="dsp")
    fast = min(data, key=lambda region: region.start)
    assert layout_of(f746, measurement) == ArenaLayout("dsp", fast.size_bytes - own)
    # The Cortex-M4 has no memory that is slower than another.
    assert layout_of(load_board("l4r5"), measurement) == ArenaLayout("dsp", None)
    context = CalibrationContext.of(f746, measurement)
    assert context.profile.cache_bytes == f746.cpu.dcache_bytes
    assert context.identity["provenance"] == "emulated"


def test_measurements_of_different_kinds_do_not_mix() -> None:
    one = example_measurement()
    check_one_kind([one, one])
    for other in (replace(one, provenance=Provenance.MEASURED), replace(one, timing="other")):
        with pytest.raises(StoreError, match="do not mix"):
            check_one_kind([one, other])
