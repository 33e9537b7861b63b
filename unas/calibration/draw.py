# SPDX-License-Identifier: Apache-2.0
"""What a calibration measures: networks as in the paper's experiment, and single kernels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from unas.artifact import Flatbuffer
from unas.board import Board
from unas.cost.operators import ArenaLayout, Call, Kernel, calls_of, kernel_of
from unas.firmware.sizes import PROGRAM_BYTES
from unas.graph import Graph, Operator, OperatorKind
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


_BYTES_PER_CHANNEL, _BYTES_OF_TABLES = 24, 600
_NEVER_ALONE = frozenset({OperatorKind.ADD, OperatorKind.QUANTIZE})
# Elements and products. On the virtual F746 smaller kernels take 15 % more within a network, where
# caches hold something else, than when repeated alone; larger ones under 1 %.
_LEAST_WORK = 10_000


@dataclass(frozen=True, slots=True)
class KernelBenchmark:
    """One operator as a network of its own.

    Attributes:
        kernel: Its signature where it came from.
        graph: The network of one operator.
    """

    kernel: Kernel
    graph: Graph

    @property
    def name(self) -> str:
        """The same for the same signature, on every machine and in every run."""
        return "k" + hashlib.sha256(self.kernel.signature.encode()).hexdigest()[:12]

    def model(self) -> Flatbuffer:
        """Its flatbuffer; weights follow from the signature."""
        seed = int(hashlib.sha256(self.kernel.signature.encode()).hexdigest()[:8], 16)
        return write_flatbuffer(self.graph, seed=seed, name=self.name)

    @property
    def flash_bytes(self) -> int:
        """About what its flatbuffer takes: constants, quantization by channel, tables."""
        constants = sum(tensor.size_bytes for tensor in self.graph.constants())
        channels = self.kernel.output[2] if self.kernel.macs else 0
        return constants + _BYTES_PER_CHANNEL * channels + _BYTES_OF_TABLES

    def calls(self, layout: ArenaLayout) -> tuple[Call]:
        """Its call, with the placement that it has alone.

        Whether it reads the network's input is that of the network it comes from: alone, each does.
        """
        (call,) = calls_of(self.graph, layout)
        return (Call(self.kernel, call.placement),)


def single_kernel(graph: Graph, op: Operator) -> KernelBenchmark | None:
    """The benchmark of one operator of a network.

    A device's model has one input: all parts of CONCATENATION are the same tensor.

    Returns:
        None where one operator alone is not the same work: parts of different shapes, an ADD (both
        summands would have one scale, which is quicker), and what is over so soon that it depends
        on what ran before.
    """
    data = graph.activations_of(op)
    shapes = {graph.tensors[index].shape for index in data}
    kernel = kernel_of(graph, op)
    work = kernel.inputs + kernel.outputs + kernel.macs
    if op.kind in _NEVER_ALONE or len(shapes) != 1 or work < _LEAST_WORK:
        return None
    tensors = [replace(graph.tensors[data[0]], name="input")]
    number = dict.fromkeys(data, 0) | {-1: -1}
    for index in op.inputs:
        if index not in number:
            number[index] = len(tensors)
            tensors.append(graph.tensors[index])
    tensors.append(replace(graph.tensors[op.output], name="output"))
    alone = replace(op, inputs=tuple(number[i] for i in op.inputs), output=len(tensors) - 1)
    network = Graph(tuple(tensors), (alone,), (0,), (len(tensors) - 1,))
    return KernelBenchmark(kernel, network)


def single_kernels(graphs: Iterable[Graph]) -> tuple[KernelBenchmark, ...]:
    """The benchmarks of all operators of networks, each signature once, in order of appearance."""
    benchmarks: dict[Kernel, KernelBenchmark] = {}
    for graph in graphs:
        for op in graph.operators:
            kernel = kernel_of(graph, op)
            if kernel not in benchmarks:
                benchmark = single_kernel(graph, op)
                if benchmark is not None:
                    benchmarks[kernel] = benchmark
    return tuple(benchmarks.values())
