# SPDX-License-Identifier: Apache-2.0
"""MACs and model size against counting loops; the summary; constraints."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unas.constraints import Constraints
from unas.errors import ConfigError
from unas.graph import (
    ConvOptions,
    ElementType,
    Graph,
    MeanOptions,
    Operator,
    OperatorKind,
    Padding,
    PoolOptions,
    Tensor,
)
from unas.graph.builder import GraphBuilder
from unas.resources.counts import (
    macs,
    model_size_bytes,
    operator_macs,
    operator_paper_macs,
    paper_macs,
)
from unas.resources.estimate import estimate, footprint
from unas.resources.order_search import peak_memory
from unas.space.build import build_graph
from unas.space.cnn import random_architecture


def _counted_macs(shape: tuple[int, ...], kernel: int, stride: int, filters: int) -> int:
    """Runs the convolution's loops and counts the innermost statement."""
    _, height, width, channels = shape
    count = 0
    for _top in range(0, height - kernel + 1, stride):
        for _left in range(0, width - kernel + 1, stride):
            for _filter in range(filters):
                for _row in range(kernel):
                    for _column in range(kernel):
                        count += channels
    return count


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 2), (4, 1)])
def test_convolutions_count_their_innermost_statement(kernel: int, stride: int) -> None:
    builder = GraphBuilder()
    shape = (1, 9, 12, 3)
    x = builder.input("x", shape)
    options = ConvOptions(stride_h=stride, stride_w=stride)
    y = builder.conv("y", x, filters=5, kernel=kernel, options=options)
    z = builder.depthwise("z", x, kernel=kernel, options=options)
    graph = builder.finish(y, z)
    conv, depthwise = graph.operators
    assert operator_macs(graph, conv) == _counted_macs(shape, kernel, stride, 5)
    # A depthwise convolution is one single-channel convolution per channel.
    one_channel = _counted_macs((*shape[:3], 1), kernel, stride, 1)
    assert operator_macs(graph, depthwise) == 3 * one_channel
    assert macs(graph) == paper_macs(graph)


def test_the_paper_counts_pools_and_additions_too() -> None:
    builder = GraphBuilder()
    x = builder.input("x", (1, 9, 8, 3))
    pool = builder.pool("p", OperatorKind.MAX_POOL_2D, x, PoolOptions(2, 3, 2, 3))
    total = builder.add("s", pool, pool)
    padded = builder.pad("q", total, ((0, 0), (0, 1), (0, 0), (0, 0)))
    graph = builder.finish(builder.flatten("f", padded))
    elements = 4 * 2 * 3
    figures = [operator_paper_macs(graph, op) for op in graph.operators]
    assert figures == [elements * 2 * 3, elements, 0, 0]
    assert macs(graph) == 0


def test_figures_of_the_whole_are_sums_over_operators() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        graph = build_graph(random_architecture(rng), (32, 32, 3), 10)
        found = estimate(graph)
        assert found.macs == macs(graph)
        assert found.paper_macs == paper_macs(graph) >= found.macs
        assert found.model_size_bytes == model_size_bytes(graph)
        assert found.model_size_bytes == sum(x.model_size_bytes for x in found.operators)
        assert found.peak_memory_bytes == max(x.working_set_bytes for x in found.operators)
        assert found.order == tuple(x.position for x in found.operators)
        assert found.peak_memory_without_input_bytes <= found.peak_memory_bytes
        input_bytes = graph.tensors[graph.inputs[0]].size_bytes
        assert found.peak_memory_bytes <= found.peak_memory_without_input_bytes + input_bytes
        cost = footprint(graph)
        assert cost.model_size_bytes == found.model_size_bytes
        assert cost.peak_memory_bytes == found.peak_memory_bytes


def test_model_size_counts_kernels_and_biases_once_and_nothing_else() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        graph = build_graph(random_architecture(rng), (32, 32, 3), 10)
        parameters = [x for x in graph.constants() if x.name.endswith(("_kernel", "_bias"))]
        assert model_size_bytes(graph) == sum(math.prod(x.shape) for x in parameters)
        assert all(x.element_type is ElementType.INT8 for x in parameters if "_kernel" in x.name)
        assert all(x.element_type is ElementType.INT32 for x in parameters if "_bias" in x.name)


def test_any_graph_can_be_estimated() -> None:
    """What no search space makes: SAME padding, a mean, a kernel that two operators share."""
    options = ConvOptions(padding=Padding.SAME)
    tensors = (
        Tensor("x", (1, 6, 6, 2)),
        Tensor("k", (2, 3, 3, 2), constant=True),
        Tensor("y", (1, 6, 6, 2)),
        Tensor("z", (1, 6, 6, 2)),
        Tensor("axes", (2,), ElementType.INT32, constant=True),
        Tensor("m", (1, 2)),
    )
    operators = (
        Operator(OperatorKind.CONV_2D, (0, 1, -1), 2, options),
        Operator(OperatorKind.CONV_2D, (2, 1, -1), 3, options),
        Operator(OperatorKind.MEAN, (3, 4), 5, MeanOptions((1, 2))),
    )
    found = estimate(Graph(tensors, operators, (0,), (5,)))
    assert found.macs == 2 * (6 * 6 * 2 * 3 * 3 * 2)
    assert found.model_size_bytes == 2 * 3 * 3 * 2
    assert found.peak_memory_bytes == 2 * 6 * 6 * 2


def test_random_architectures_need_about_what_the_reference_measured() -> None:
    """Medians for 32x32x3 inputs; source: the reference, run on 1,000 of its random draws.

    36.5 kB peak memory without the input, 99 kB, 2.0 M operations. Ours draws the maxima of all
    ranges as well, rounds pools down and adds PAD operators: near, not equal.
    """
    rng = np.random.default_rng(0)
    graphs = [build_graph(random_architecture(rng), (32, 32, 3), 10) for _ in range(400)]
    peaks = [peak_memory(x, count_input=False, in_place_add=True).bytes for x in graphs]
    assert np.median(peaks) == pytest.approx(36_500, rel=0.25)
    assert np.median([model_size_bytes(x) for x in graphs]) == pytest.approx(99_000, rel=0.25)
    assert np.median([paper_macs(x) for x in graphs]) == pytest.approx(2.0e6, rel=0.4)


def test_violations_are_graded() -> None:
    constraints = Constraints(error=0.1, peak_memory_bytes=1000, macs=500)
    values = {"error": 0.1, "peak_memory_bytes": 1500, "macs": 2000, "latency_us": 1e9}
    assert constraints.violations(values) == {"peak_memory_bytes": 1.5, "macs": 4.0}
    assert not constraints.feasible(values)
    assert constraints.feasible({"peak_memory_bytes": 1000})
    assert Constraints().feasible(values)


def test_an_undefined_value_is_a_violation() -> None:
    assert not Constraints(latency_us=10.0).feasible({"latency_us": math.nan})


@pytest.mark.parametrize("bound", [0, -1, math.inf, math.nan])
def test_bounds_are_positive_numbers(bound: float) -> None:
    with pytest.raises(ConfigError, match="latency_us"):
        Constraints(latency_us=bound)
