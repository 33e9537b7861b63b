# SPDX-License-Identifier: Apache-2.0
"""Micro-benchmarks: a network of exactly one operator, taken out of another network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from unas.artifact import Flatbuffer
from unas.cost.operators import ArenaLayout, Call, Kernel, calls_of, kernel_of
from unas.graph import Graph, Operator, OperatorKind
from unas.tflite.writer import write_flatbuffer

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
