# SPDX-License-Identifier: Apache-2.0
"""Which bytes of the tensor arena live when, and which buffers share them.

The rules are the built-in runtime's (firmware_templates/runtime/rt_share.c): a RESHAPE moves
nothing; an operator that may write onto an input that nobody reads later does so, where it costs
nothing, or where it would otherwise need more than the most demanding operator must have anyway.
For kernels that never work in place nothing but RESHAPE shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unas.arena.kernels import Needs, operator_needs
from unas.arena.search import Span
from unas.graph import Graph, OperatorKind
from unas.names import KernelSet

ALIGNMENT = 16


def aligned(size: int) -> int:
    """A size rounded up to the arena's alignment."""
    return (size + ALIGNMENT - 1) & -ALIGNMENT


@dataclass(frozen=True, slots=True)
class BufferGroup:
    """Buffers that share their bytes, so that one offset holds for all of them.

    Attributes:
        index: Of the buffer that owns the bytes: a tensor, or the number of tensors plus the
            position of the operator whose working memory it is.
        size: Bytes of that buffer, not aligned.
        first: Operator that writes that buffer.
        last: Operator that reads that buffer last; the number of operators for an output.
        spans: Of all buffers of the group, with aligned bytes.
    """

    index: int
    size: int
    first: int
    last: int
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Buffers:
    """A graph as the planner sees it.

    Attributes:
        groups: What needs an offset.
        bound_bytes: The largest sum of bytes that live at once: no plan has less.
        state_bytes: What the operators keep from preparation on.
        owners: The group in which each activation lies, by tensor.
    """

    groups: tuple[BufferGroup, ...]
    bound_bytes: int
    state_bytes: int
    owners: Mapping[int, int]


def buffers_of(graph: Graph, kernels: KernelSet) -> Buffers:
    """Lives and sharing of a graph's buffers.

    Args:
        graph: As exported: operators in execution order.
        kernels: Which kernels compute it.
    """
    tensors = graph.tensors
    shapes = [tensor.shape for tensor in tensors]
    needs = [
        operator_needs(
            op.kind,
            op.options,
            tuple([shapes[i] for i in op.inputs if i != -1]),
            shapes[op.output],
            kernels,
        )
        for op in graph.operators
    ]
    return _Sharing(graph, needs).result()


class _Sharing:
    """State of one decision: which buffers share their bytes."""

    def __init__(self, graph: Graph, needs: list[Needs]) -> None:
        self._graph, self._needs = graph, needs
        self._steps = len(graph.operators)
        self._first: dict[int, int] = dict.fromkeys(graph.inputs, 0)
        self._last: dict[int, int] = dict.fromkeys(graph.inputs, 0)
        self._find_lives()
        self._size = {i: graph.tensors[i].size_bytes for i in self._first}
        self._scratch = [need.scratch_bytes for need in needs]
        self._owner = {i: i for i in self._first}
        self._ends = dict(self._last)  # by owner: when the last that shares with it is read last
        self._spans: dict[int, list[Span]] = {}
        self._live = [aligned(scratch) for scratch in self._scratch]
        self._join_reshapes()

    def result(self) -> Buffers:
        self._take_offers()
        groups = [
            BufferGroup(i, self._size[i], self._first[i], self._last[i], tuple(spans))
            for i, spans in self._spans.items()
        ]
        tensors = len(self._graph.tensors)
        for step, scratch in enumerate(self._scratch):
            if scratch:
                spans = ((step, step, aligned(scratch)),)
                groups.append(BufferGroup(tensors + step, scratch, step, step, spans))
        state = sum(need.state_bytes for need in self._needs)
        return Buffers(tuple(groups), max(self._live, default=0), state, self._owner)

    def _find_lives(self) -> None:
        first, last = self._first, self._last
        for step, op in enumerate(self._graph.operators):
            for index in op.inputs:
                if index in first:
                    last[index] = step
            first[op.output] = last[op.output] = step
        for index in self._graph.outputs:
            last[index] = self._steps

    def _join_reshapes(self) -> None:
        owner, ends = self._owner, self._ends
        for op in self._graph.operators:
            if op.kind is OperatorKind.RESHAPE and op.inputs[0] in owner:
                shared = owner[op.output] = owner[op.inputs[0]]
                ends[shared] = max(ends[shared], self._last[op.output])
        for index, shared in owner.items():
            if index == shared:
                size, first, end = aligned(self._size[index]), self._first[index], ends[index]
                self._spans[index] = [(first, end, size)]
                for step in range(first, min(end + 1, self._steps)):
                    self._live[step] += size

    def _take_offers(self) -> None:
        """First all offers that cost nothing, then those that cost, where they lower the peak."""
        unavoidable = 0  # what the most demanding operator needs in any case
        for step, need in enumerate(self._needs):
            offered = self._offer(step, need)
            min_live = self._live[step]
            if offered is not None and need.extra_bytes:
                min_live = min(min_live, min_live + self._change(step, need))
            elif offered is not None:
                self._take(step, need, offered)
                min_live = self._live[step]
            unavoidable = max(unavoidable, min_live)
        for step, need in enumerate(self._needs):
            if self._live[step] > unavoidable:
                offered = self._offer(step, need)
                if offered is not None:
                    self._take(step, need, offered)

    def _offer(self, step: int, need: Needs) -> int | None:
        """The input that the operator may overwrite."""
        op = self._graph.operators[step]
        if not need.slots or self._owner[op.output] != op.output:
            return None
        size = self._size[op.output]
        for slot in need.slots:
            index = op.inputs[slot]
            known = index in self._size and self._size[index] >= size
            if known and self._ends[self._owner[index]] <= step:
                return index
        return None

    def _change(self, step: int, need: Needs) -> int:
        """How many bytes more the operator needs if it overwrites that input."""
        scratch = self._scratch[step]
        output = self._size[self._graph.operators[step].output]
        return aligned(scratch + need.extra_bytes) - aligned(scratch) - aligned(output)

    def _take(self, step: int, need: Needs, offered: int) -> None:
        output, owner = self._graph.operators[step].output, self._owner[offered]
        self._live[step] += self._change(step, need)
        self._scratch[step] += need.extra_bytes
        for index, shared in self._owner.items():
            if shared == output:
                self._owner[index] = owner
        self._spans[owner] += self._spans.pop(output)
        self._ends[owner] = self._ends[output]
