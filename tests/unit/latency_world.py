# SPDX-License-Identifier: Apache-2.0
"""A made-up board whose cycles are a known function of kernels; for tests of models only."""

from __future__ import annotations

import numpy as np

from unas.cost.operators import Call, Kernel, Placement
from unas.cost.types import Sample
from unas.graph import Activation, OperatorKind

CONV, DENSE, ADD = OperatorKind.CONV_2D, OperatorKind.FULLY_CONNECTED, OperatorKind.ADD


def random_call(rng: np.random.Generator) -> Call:
    """A convolution, a dense layer or an addition."""
    kind = (CONV, CONV, DENSE, ADD)[int(rng.integers(4))]
    side, depth, out = (int(rng.integers(1, high)) for high in (24, 48, 48))
    if kind is DENSE:
        return Call(Kernel(kind, (1, 1, 8 * depth), (1, 1, out), activation=Activation.RELU))
    if kind is ADD:
        return Call(Kernel(kind, (side, side, depth), (side, side, depth)))
    window = (1, 3, 5)[int(rng.integers(3))]
    shape = (side + window - 1, side + window - 1, depth)
    placement = Placement(scratch_bytes=int(rng.integers(64, 1 << 16)))
    return Call(Kernel(kind, shape, (side, side, out), (window, window)), placement)


def true_cycles(call: Call) -> float:
    """A small overhead, products that are dear where the input is shallow, and outputs."""
    kernel = call.kernel
    per_mac = 4.0 if kernel.input[2] < 4 else 1.0
    return 600.0 + 20.0 * kernel.pixels + 6.0 * kernel.outputs + per_mac * kernel.macs


def random_samples(count: int, *, seed: int, noise: float = 0.0) -> list[Sample]:
    """Networks of 3 to 12 operators."""
    rng = np.random.default_rng(seed)
    samples = []
    for index in range(count):
        calls = tuple(random_call(rng) for _ in range(int(rng.integers(3, 13))))
        cycles = [true_cycles(call) * float(np.exp(noise * rng.normal())) for call in calls]
        whole = 1.001 * sum(cycles) + 40.0 * len(cycles)
        samples.append(Sample(f"net{index}", calls, whole, tuple(cycles)))
    return samples
