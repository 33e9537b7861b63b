# SPDX-License-Identifier: Apache-2.0
"""A board whose cycles are a known function of its kernels, and random networks for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unas.calibration.draw import KernelBenchmark, single_kernels
from unas.calibration.uncertainty import MeasurementCandidate
from unas.cost.operators import Call, kernels
from unas.cost.types import Sample
from unas.errors import ArchitectureError
from unas.graph import Graph, OperatorKind
from unas.space.cnn import CNN_SPACE, random_architecture
from unas.tflite.order import exported_graph

_BETWEEN_OPERATORS = 50
_POOLS = (OperatorKind.MAX_POOL_2D, OperatorKind.AVERAGE_POOL_2D)


def network(index: int) -> Graph:
    """A random network on small images; the same for the same index."""
    rng = np.random.default_rng([9, index])
    while True:
        try:
            return exported_graph(random_architecture(rng, CNN_SPACE), (24, 24, 3), 10)
        except ArchitectureError:
            continue


def calls_of(graph: Graph) -> tuple[Call, ...]:
    """All in fast memory."""
    return tuple(Call(kernel) for kernel in kernels(graph))


def cycles_of(call: Call) -> float:
    """What one operator takes here: more for odd channels, much more for odd kernels."""
    kernel = call.kernel
    if kernel.kind is OperatorKind.CONV_2D:
        odd = kernel.input[2] % 4 > 0 and kernel.filter != (1, 1)
        gathered = kernel.pixels * kernel.taps * (5.1 if odd else 1.7)
        per_product = 0.9 + 0.1 * (kernel.output[2] % 4)
        return 900 + 40 * kernel.pixels + per_product * kernel.macs + gathered + 6 * kernel.outputs
    if kernel.kind is OperatorKind.DEPTHWISE_CONV_2D:
        unrolled = kernel.filter[0] in (3, 5, 7)
        return 700 + kernel.macs * (2.1 if unrolled else 3.3) + 9 * kernel.outputs
    if kernel.kind is OperatorKind.FULLY_CONNECTED:
        return 300 + 1.3 * kernel.macs + 11 * kernel.outputs
    if kernel.kind in _POOLS:
        return 250 + 1.9 * kernel.paper_macs + 5 * kernel.outputs
    if kernel.kind is OperatorKind.ADD:
        return 100 + 14 * kernel.outputs
    return 100 + 2 * kernel.outputs + kernel.inputs


def sample(name: str, calls: Sequence[Call], *, is_network: bool = True) -> Sample:
    """What the board says of a network, or of a single kernel."""
    cycles = tuple(cycles_of(call) for call in calls)
    total = sum(cycles) + _BETWEEN_OPERATORS * len(cycles) * is_network
    return Sample(name, tuple(calls), total, cycles, is_network)


def candidates(graphs: Sequence[Graph]) -> list[MeasurementCandidate]:
    """The networks, and their kernels alone."""
    networks = [
        MeasurementCandidate(f"n{i}", calls_of(graph), 100_000, True)
        for i, graph in enumerate(graphs)
    ]
    alone: tuple[KernelBenchmark, ...] = single_kernels(graphs)
    return networks + [
        MeasurementCandidate(one.name, (Call(one.kernel),), one.flash_bytes, False) for one in alone
    ]
