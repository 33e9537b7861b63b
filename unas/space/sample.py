# SPDX-License-Identifier: Apache-2.0
"""Random architectures that fit a device: the sample of μNAS's MACs-against-latency experiment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from unas.architecture import CnnArchitecture
from unas.errors import ArchitectureError
from unas.graph import Graph
from unas.space.build import build_graph
from unas.space.cnn import CnnSpace, random_architecture
from unas.space.morphs import random_morph

_STEPS_BEFORE_NEW_START = 1000
_STARTS = 50
_P_ACCEPT_ANYWAY = 0.25


class DeviceFootprint(Protocol):
    """What the sampler must know of a graph; ``unas.resources.estimate.footprint`` computes it."""

    @property
    def model_size_bytes(self) -> int:
        """Parameters at one byte each."""
        ...

    @property
    def peak_memory_bytes(self) -> int:
        """Least RAM for activations, the input among them."""
        ...


def draw_within(
    rng: np.random.Generator,
    space: CnnSpace,
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    footprint: Callable[[Graph], DeviceFootprint],
    max_model_size_bytes: int,
    max_peak_memory_bytes: int,
) -> CnnArchitecture:
    """A random architecture within both bounds.

    The generator of the paper's experiment: start from a random architecture; while a bound is
    exceeded, morph it at random, and keep the child if its model size or its peak memory is smaller
    than the parent's, otherwise with probability 0.25. The walk is bounded here: after 1,000 steps
    it begins anew.

    Args:
        rng: Source of randomness.
        space: Search space.
        input_shape: (height, width, channels).
        num_classes: Classes.
        footprint: Resource model. It is handed in because spaces and resource models do not know
            each other.
        max_model_size_bytes: Bound.
        max_peak_memory_bytes: Bound.

    Raises:
        ArchitectureError: 50 walks found nothing: the bounds are too tight.
    """

    def measure(arch: CnnArchitecture) -> DeviceFootprint:
        return footprint(build_graph(arch, input_shape, num_classes))

    def fits(cost: DeviceFootprint) -> bool:
        small = cost.model_size_bytes <= max_model_size_bytes
        return small and cost.peak_memory_bytes <= max_peak_memory_bytes

    for _ in range(_STARTS):
        arch = random_architecture(rng, space)
        cost = measure(arch)
        for _ in range(_STEPS_BEFORE_NEW_START):
            if fits(cost):
                return arch
            child = random_morph(rng, arch, space)
            child_cost = measure(child)
            smaller = (
                child_cost.model_size_bytes < cost.model_size_bytes
                or child_cost.peak_memory_bytes < cost.peak_memory_bytes
            )
            if smaller or rng.random() < _P_ACCEPT_ANYWAY:
                arch, cost = child, child_cost
    raise ArchitectureError(
        f"no architecture for {input_shape} with at most {max_model_size_bytes} B model size and "
        f"{max_peak_memory_bytes} B peak memory was found; raise the bounds"
    )
