# SPDX-License-Identifier: Apache-2.0
"""Networks as the paper's experiment draws them, and their rows in ``measurements.csv``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unas.artifact import Flatbuffer
from unas.board import Board
from unas.firmware.pack import PROGRAM_BYTES
from unas.graph import Graph
from unas.record import Measurement
from unas.resources.estimate import ResourceEstimate, estimate, footprint
from unas.space.cnn import CNN_SPACE, random_architecture
from unas.space.sample import draw_within
from unas.tflite.model_file import Model
from unas.tflite.order import exported_graph
from unas.tflite.writer import write_flatbuffer

# The paper's experiment (docs/paper.md): 64x64x3 inputs, 10 classes, both limits 250 kB.
INPUT_SHAPE = (64, 64, 3)
NUM_CLASSES = 10
LIMIT_BYTES = 250_000
# RAM that is not the arena (stack, results), and what the arena holds beside activations.
_RAM_OVERHEAD_BYTES = 48 * 1024


@dataclass(frozen=True, slots=True)
class DrawnNetwork:
    """A drawn network, ready to measure.

    Attributes:
        architecture_id: Short hash of the genes.
        graph: As exported.
        model: Its flatbuffer.
        estimate: Its analytic figures.
    """

    architecture_id: str
    graph: Graph
    model: Flatbuffer
    estimate: ResourceEstimate


@dataclass(frozen=True, slots=True)
class Point:
    """A drawn network with its measurement."""

    network: DrawnNetwork
    measurement: Measurement


def limits(board: Board) -> tuple[int, int]:
    """(model size, peak memory) in bytes: the paper's, or fewer if the board cannot hold them."""
    size = min(LIMIT_BYTES, board.flash_bytes - PROGRAM_BYTES)
    return size, min(LIMIT_BYTES, board.ram_bytes - _RAM_OVERHEAD_BYTES)


def draw_samples(board: Board, count: int, seed: int, *, first: int = 0) -> Iterator[DrawnNetwork]:
    """Draw networks; the n-th of a seed is the same however many are asked for.

    Args:
        board: Sets the limits.
        count: Number of networks.
        seed: Of the draw and of the weights.
        first: Index of the first network.
    """
    size, memory = limits(board)
    for index in range(first, first + count):
        rng = np.random.default_rng([seed, index])
        architecture = draw_within(
            rng,
            CNN_SPACE,
            INPUT_SHAPE,
            NUM_CLASSES,
            footprint=footprint,
            max_model_size_bytes=size,
            max_peak_memory_bytes=memory,
        )
        graph = exported_graph(architecture, INPUT_SHAPE, NUM_CLASSES)
        name = architecture.short_id
        model = write_flatbuffer(graph, seed=seed + index, name=name)
        yield DrawnNetwork(name, graph, model, estimate(graph))


def table_row(point: Point) -> dict[str, object]:
    """One line of ``measurements.csv``."""
    measured, analytic = point.measurement, point.network.estimate
    return {
        "architecture_id": point.network.architecture_id,
        "model_sha256": measured.model_sha256,
        "provenance": str(measured.provenance),
        "timing": measured.timing,
        "board_id": measured.board_id,
        "runtime": measured.runtime,
        "runtime_revision": measured.runtime_revision,
        "kernels": measured.kernels,
        "unit": measured.unit,
        "macs": analytic.macs,
        "paper_macs": analytic.paper_macs,
        "model_size_bytes": analytic.model_size_bytes,
        "flatbuffer_bytes": measured.flatbuffer_bytes,
        "peak_memory_bytes": analytic.peak_memory_bytes,
        "peak_memory_without_input_bytes": analytic.peak_memory_without_input_bytes,
        "latency_us": measured.latency_us,
        "median_cycles": measured.median_cycles,
        "spread_cycles": measured.spread_cycles,
        "cold_cycles": measured.cold_cycles,
        "instructions": measured.instructions,
        "arena_used_bytes": measured.arena.used_bytes,
        "arena_tensor_bytes": measured.arena.tensor_bytes,
        "arena_scratch_bytes": measured.arena.scratch_bytes,
        "arena_persistent_bytes": measured.arena.persistent_bytes,
        "operators": len(measured.operators),
        "output_bytes": measured.output.output_bytes,
        "output_mismatches": measured.output.mismatches,
        "golden": measured.output.golden,
    }


def random_model(seed: int) -> Model:
    """A random network of the CNN search space with random weights, of any size."""
    architecture = random_architecture(np.random.default_rng(seed))
    graph = exported_graph(architecture, INPUT_SHAPE, NUM_CLASSES)
    return Model(write_flatbuffer(graph, seed=seed, name=architecture.short_id), graph)
