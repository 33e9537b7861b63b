# SPDX-License-Identifier: Apache-2.0
"""When buffers live: what an execution order costs in memory.

Operators run one at a time and in full. The working set of an operator is every live buffer, its
inputs and its output among them. A buffer lives from the operator that writes it to the last that
reads it; the graph's outputs live on, its inputs live from the start. Constants stay in flash and
do not count. A RESHAPE copies nothing: its output is its input's buffer under another shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unas.graph import Graph, Operator, OperatorKind


@dataclass(frozen=True, slots=True)
class Step:
    """What running one operator does to memory. Sets of operators are bit masks of positions.

    Attributes:
        before: Operators whose output it reads.
        growth: Bytes it needs while running, on top of what is live.
        kept: Bytes of its output that live on; 0 where nothing reads it.
        reads: (readers, bytes) of each buffer it reads that dies with the last of its readers.
    """

    before: int
    growth: int
    kept: int
    reads: tuple[tuple[int, int], ...]

    def freed(self, done: int) -> int:
        """Bytes that die with this step, ``done`` being the operators run so far, this one too."""
        return sum(size for readers, size in self.reads if not readers & ~done)


@dataclass(frozen=True, slots=True)
class Liveness:
    """A graph as a memory problem.

    Attributes:
        steps: One per operator, in the graph's order.
        start_bytes: Live before the first operator runs: the graph's inputs, if they count.
    """

    steps: tuple[Step, ...]
    start_bytes: int

    def working_sets(self, order: Iterable[int]) -> tuple[int, ...]:
        """Bytes of the working set of each operator, in the given execution order."""
        live, done, sets = self.start_bytes, 0, []
        for position in order:
            step = self.steps[position]
            sets.append(live + step.growth)
            done |= 1 << position
            live += step.kept - step.freed(done)
        return tuple(sets)


def analyse(graph: Graph, *, count_input: bool, in_place_add: bool) -> Liveness:
    """The memory problem of a graph.

    Args:
        graph: Any graph.
        count_input: Whether the buffers of the graph's inputs count.
        in_place_add: Whether an ADD writes over a summand of its own shape that nothing else reads
            and that is no input or output of the graph.
    """
    buffers = _Buffers(graph, count_input=count_input)
    steps = []
    for op in graph.operators:
        inputs = graph.activations_of(op)
        producers = [graph.producer(tensor) for tensor in inputs]
        growth, kept = buffers.written(op)
        if in_place_add and op.kind is OperatorKind.ADD and buffers.overwrites(op, inputs):
            growth = 0
        steps.append(
            Step(
                before=_mask(position for position in producers if position is not None),
                growth=growth,
                kept=kept,
                reads=() if op.kind is OperatorKind.RESHAPE else buffers.dying(inputs),
            )
        )
    return Liveness(tuple(steps), buffers.start_bytes)


class _Buffers:
    """Which tensors share a buffer, who reads it and how large it is."""

    def __init__(self, graph: Graph, *, count_input: bool) -> None:
        self._graph = graph
        self._root = list(range(len(graph.tensors)))
        for op in graph.operators:
            sources = graph.activations_of(op)
            if op.kind is OperatorKind.RESHAPE and sources:
                self._root[op.output] = self._root[sources[0]]
        self._readers = [0] * len(graph.tensors)
        for position, op in enumerate(graph.operators):
            if op.kind is not OperatorKind.RESHAPE:
                for tensor in graph.activations_of(op):
                    self._readers[self._root[tensor]] |= 1 << position
        self._inputs = {self._root[tensor] for tensor in graph.inputs}
        self._outputs = {self._root[tensor] for tensor in graph.outputs}
        self._free = set() if count_input else self._inputs

    @property
    def start_bytes(self) -> int:
        """Bytes of the inputs, where they count."""
        used = [x for x in self._inputs - self._free if self._readers[x] or x in self._outputs]
        return sum(self._size(buffer) for buffer in used)

    def written(self, op: Operator) -> tuple[int, int]:
        """Bytes that the operator's output needs while it runs, and after."""
        buffer = self._root[op.output]
        if buffer != op.output:
            return 0, 0
        size = self._size(buffer)
        return size, size if self._readers[buffer] or buffer in self._outputs else 0

    def dying(self, tensors: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """(readers, bytes) of the buffers behind these tensors that anything can free."""
        roots = dict.fromkeys(self._root[tensor] for tensor in tensors)
        mortal = (x for x in roots if x not in self._outputs and x not in self._free)
        return tuple((self._readers[x], self._size(x)) for x in mortal)

    def overwrites(self, op: Operator, inputs: Sequence[int]) -> bool:
        """Whether the operator can write over one of its inputs."""
        kept, tensors = self._inputs | self._outputs, self._graph.tensors
        output = tensors[op.output]
        return any(
            (tensors[x].shape, tensors[x].element_type) == (output.shape, output.element_type)
            and self._readers[self._root[x]].bit_count() == 1
            and self._root[x] not in kept
            for x in inputs
        )

    def _size(self, buffer: int) -> int:
        return self._graph.tensors[buffer].size_bytes


def _mask(positions: Iterable[int]) -> int:
    mask = 0
    for position in positions:
        mask |= 1 << position
    return mask
