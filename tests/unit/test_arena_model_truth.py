# SPDX-License-Identifier: Apache-2.0
"""The arena that is predicted is the arena that the runtime takes: compared with its own C code."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests.unit.arena_networks import random_networks
from unas.arena.liveness import buffers_of
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
from unas.hil.arena_probe import offline_order
from unas.host.runtime import HostRun, run_on_host
from unas.names import KernelSet
from unas.resources.counts import operator_macs
from unas.tflite.writer import write_flatbuffer

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler for the host runtime"
)
_ARENA_BYTES = 8 << 20
_KERNELS = ("dsp", "plain")
_MAX_MACS = 1_000_000  # the host only needs the arena, but has to run the network for it


def host_run(graph: Graph, kernels: str, *, plan: str = "searched", seed: int = 0) -> HostRun:
    """One run by the runtime's C code, with its own greedy plan or a searched one."""
    model = write_flatbuffer(graph, seed=seed, name="x").data
    size = graph.tensors[graph.inputs[0]].size_bytes
    order = offline_order(model, kernels) if plan == "searched" else ()
    return run_on_host(model, bytes(size), arena_bytes=_ARENA_BYTES, kernels=kernels, order=order)


def used_bytes(graph: Graph, kernels: str, *, seed: int = 0) -> int:
    """``arena_used_bytes`` as the runtime's C code reports it."""
    return host_run(graph, kernels, seed=seed).arena_used_bytes


def predicted_bytes(graph: Graph, kernels: str) -> float:
    """By the analytic description alone, nothing fitted."""
    return sum(DESCRIPTIONS[f"builtin-{kernels}"].count(graph)[:2])


@pytest.mark.slow
@pytest.mark.parametrize("kernels", _KERNELS)
def test_random_networks(kernels: str) -> None:
    """Part by part and to the byte, without and with the help of a plan that was searched.

    Where the C code's own greedy plan reaches the bound, no Python code had a say in its numbers.
    Elsewhere the host searches a plan for the device with more patience than a prediction has.
    """
    drawn = random_networks(120, seed=5)
    graphs = [g for g in drawn if sum(operator_macs(g, op) for op in g.operators) < _MAX_MACS]
    at_bound, searched, differ = 0, 0, 0
    for graph in graphs:
        own, helped = (host_run(graph, kernels, plan=plan) for plan in ("greedy", "searched"))
        planned, kept = DESCRIPTIONS[f"builtin-{kernels}"].count(graph)[:2]
        assert buffers_of(graph, KernelSet(kernels)).bound_bytes == own.bound_bytes
        assert kept == -(-own.persistent_bytes // 16) * 16
        own_bytes, helped_bytes = (run.arena_used_bytes - kept for run in (own, helped))
        if own.tensor_bytes + own.scratch_bytes == own.bound_bytes:
            assert planned == own_bytes
            at_bound += 1
        else:
            assert own.bound_bytes <= helped_bytes <= planned <= own_bytes
            searched += planned < own_bytes
            differ += planned != helped_bytes
    assert len(graphs) - at_bound > 0  # networks of both kinds were compared
    assert at_bound > 60
    assert differ <= 1
    assert searched >= {"dsp": 8, "plain": 0}[kernels]


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
