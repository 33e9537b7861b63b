# SPDX-License-Identifier: Apache-2.0
"""Peak memory straight from its definition, for comparison: slow, and as plain as can be."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from unas.graph import Graph, OperatorKind


class MemoryOracle:
    """Working sets of a small graph, each worked out from scratch."""

    def __init__(self, graph: Graph, *, count_input: bool, in_place_add: bool) -> None:
        self.graph = graph
        self._count_input, self._in_place_add = count_input, in_place_add
        self._buffer = {i: i for i in range(len(graph.tensors))}
        for op in graph.operators:
            if op.kind is OperatorKind.RESHAPE:
                self._buffer[op.output] = self._buffer[op.inputs[0]]

    def _readers(self, buffer: int) -> set[int]:
        return {
            i
            for i, op in enumerate(self.graph.operators)
            if op.kind is not OperatorKind.RESHAPE
            and buffer in {self._buffer[x] for x in self.graph.activations_of(op)}
        }

    def _is_live(self, buffer: int, done: frozenset[int], running: int | None) -> bool:
        ops = self.graph.operators
        ends = {self._buffer[x] for x in self.graph.outputs}
        if buffer in self.graph.inputs:
            if not self._count_input:
                return False
        else:
            writer = self.graph.producer(buffer)
            if running is not None and ops[running].output == buffer:
                return True
            if writer not in done:
                return False
        return buffer in ends or bool(self._readers(buffer) - done)

    def working_set(self, done: frozenset[int], running: int | None) -> int:
        """Live bytes while an operator runs after those in ``done``, or between operators."""
        live = {b for b in set(self._buffer.values()) if self._is_live(b, done, running)}
        live = {b for b in live if not self.graph.tensors[b].constant}
        if running is not None and self._overwrites(running):
            live -= {self.graph.operators[running].output}
        return sum(self.graph.tensors[b].size_bytes for b in live)

    def _overwrites(self, running: int) -> bool:
        op, tensors = self.graph.operators[running], self.graph.tensors
        if not self._in_place_add or op.kind is not OperatorKind.ADD:
            return False
        ends = {self._buffer[x] for x in (*self.graph.inputs, *self.graph.outputs)}
        return any(
            tensors[x].shape == tensors[op.output].shape
            and self._buffer[x] not in ends
            and self._readers(self._buffer[x]) == {running}
            for x in self.graph.activations_of(op)
        )

    def ready(self, done: frozenset[int]) -> Iterator[int]:
        """Operators that can run after those in ``done``."""
        for i, op in enumerate(self.graph.operators):
            writers = {self.graph.producer(x) for x in self.graph.activations_of(op)} - {None}
            if i not in done and writers <= done:
                yield i

    def lowest_peak_of_all_orders(self) -> int:
        """Tries every order, one after the other."""

        def search(done: frozenset[int], peak: int) -> int:
            if len(done) == len(self.graph.operators):
                return peak
            return min(
                search(done | {i}, max(peak, self.working_set(done, i))) for i in self.ready(done)
            )

        return search(frozenset(), self.working_set(frozenset(), None))

    def lowest_peak_of_all_sets(self) -> int:
        """Tries every set of executed operators once; the same figure, for larger graphs."""

        @cache
        def rest(done: frozenset[int]) -> int:
            if len(done) == len(self.graph.operators):
                return 0
            return min(max(self.working_set(done, i), rest(done | {i})) for i in self.ready(done))

        return max(self.working_set(frozenset(), None), rest(frozenset()))

    def peak_of(self, order: tuple[int, ...]) -> int:
        """Peak of one order."""
        sets = [
            self.working_set(frozenset(order[:k]), position) for k, position in enumerate(order)
        ]
        return max(sets, default=self.working_set(frozenset(), None))
