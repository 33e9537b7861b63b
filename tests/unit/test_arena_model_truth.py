# SPDX-License-Identifier: Apache-2.0
"""The arena that is predicted is the arena that the runtime takes: compared with its own C code."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests.unit.arena_networks import random_networks
from unas.cost.memory import DESCRIPTIONS
from unas.errors import ArchitectureError
from unas.graph import (
    Activation,
    ConcatenationOptions,
    ConvOptions,
    DenseOptions,
    ElementType,
    Graph,
    MeanOptions,
    NoOptions,
    Operator,
    OperatorKind,
    Padding,
    PoolOptions,
    SoftmaxOptions,
    Tensor,
)
from unas.graph.builder import GraphBuilder
from unas.hil.arena_order import offline_order
from unas.host.runtime import run_on_host
from unas.resources.counts import operator_macs
from unas.tflite.writer import write_flatbuffer

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler for the host runtime"
)
_ARENA_BYTES = 8 << 20
_KERNELS = ("dsp", "plain")
_MOST_MACS = 1_000_000  # the host only needs the arena, but has to run the network for it


def used_bytes(graph: Graph, kernels: str, *, seed: int = 0) -> int:
    """What the runtime's C code says."""
    model = write_flatbuffer(graph, seed=seed, name="x").data
    size = graph.tensors[graph.inputs[0]].size_bytes
    order = offline_order(model, kernels)
    run = run_on_host(model, bytes(size), arena_bytes=_ARENA_BYTES, kernels=kernels, order=order)
    return run.arena_used_bytes


def predicted_bytes(graph: Graph, kernels: str) -> float:
    """By the analytic description alone, nothing fitted."""
    return sum(DESCRIPTIONS[f"builtin-{kernels}"].count(graph)[:2])


@pytest.mark.parametrize("kernels", _KERNELS)
def test_random_networks(kernels: str) -> None:
    drawn = random_networks(40, seed=5)
    graphs = [g for g in drawn if sum(operator_macs(g, op) for op in g.operators) < _MOST_MACS]
    assert len(graphs) > 12
    found = np.array([used_bytes(graph, kernels) for graph in graphs])
    predicted = np.array([predicted_bytes(graph, kernels) for graph in graphs])
    assert (predicted >= found).all()
    assert (predicted == found).mean() > 0.9
    assert (predicted <= 1.03 * found).mean() >= 0.95


@pytest.mark.parametrize("kernels", _KERNELS)
@pytest.mark.parametrize("kind", [OperatorKind.CONV_2D, OperatorKind.DEPTHWISE_CONV_2D])
def test_random_windows(kind: OperatorKind, kernels: str) -> None:
    """Shapes far from those of the search space: dilation, clipped windows, odd channels."""
    rng = np.random.default_rng(11)
    checked = 0
    for seed in range(80):
        height, width, kernel = (int(n) for n in rng.integers(1, (18, 18, 8)))
        channels, filters = (int(n) for n in rng.integers(1, (20, 24)))
        stride, dilation = (int(n) for n in rng.integers(1, (4, 3)))
        options = ConvOptions(
            padding=Padding.SAME if rng.random() < 0.6 else Padding.VALID,
            stride_h=stride,
            stride_w=stride,
            dilation_h=dilation,
            dilation_w=dilation,
            depth_multiplier=1 + seed % 3 if kind is OperatorKind.DEPTHWISE_CONV_2D else 1,
            activation=Activation.RELU,
        )
        build = GraphBuilder()
        x = build.input("x", (1, height, width, channels))
        try:
            if kind is OperatorKind.CONV_2D:
                x = build.conv("c", x, filters=filters, kernel=kernel, options=options)
            else:
                x = build.depthwise("c", x, kernel=kernel, options=options)
        except ArchitectureError:
            continue
        graph = build.finish(x)
        found = used_bytes(graph, kernels, seed=seed)
        assert predicted_bytes(graph, kernels) == found, (graph.tensors, options)
        checked += 1
    assert checked > 40


@pytest.mark.parametrize("kernels", _KERNELS)
def test_other_operators(kernels: str) -> None:
    """One network with what the search space's networks do not have."""
    shape, vector = (1, 9, 7, 6), (1, 12)
    tensors = (
        *(Tensor(name, shape) for name in ("x", "relu", "pool")),
        Tensor("both", (1, 9, 7, 12)),
        Tensor("axes", (2,), ElementType.INT32, constant=True),
        Tensor("mean", vector),
        Tensor("w", (40, 12), constant=True),
        Tensor("b", (40,), ElementType.INT32, constant=True),
        Tensor("dense", (1, 40)),
        Tensor("classes", (1, 40)),
    )
    pool = PoolOptions(3, 3, 1, 1, Padding.SAME)
    operators = (
        Operator(OperatorKind.RELU, (0,), 1, NoOptions()),
        Operator(OperatorKind.MAX_POOL_2D, (1,), 2, pool),
        Operator(OperatorKind.CONCATENATION, (1, 2), 3, ConcatenationOptions(3)),
        Operator(OperatorKind.MEAN, (3, 4), 5, MeanOptions((1, 2))),
        Operator(OperatorKind.FULLY_CONNECTED, (5, 6, 7), 8, DenseOptions()),
        Operator(OperatorKind.SOFTMAX, (8,), 9, SoftmaxOptions()),
    )
    graph = Graph(tensors, operators, (0,), (9,))
    assert predicted_bytes(graph, kernels) == used_bytes(graph, kernels)
