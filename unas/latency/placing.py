# SPDX-License-Identifier: Apache-2.0
"""Which kernels a graph calls, and where in the tensor arena each of them works.

On a chip with memories of different speed the same kernel takes up to twice the time, depending on
where its working memory came to lie; and how much working memory it has decides how many pixels it
computes at once. Both follow from the plan of the arena, made here as the runtime makes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from unas.errors import StoreError
from unas.graph import Graph
from unas.latency.arena_buffers import Buffers, buffers_of
from unas.latency.arena_needs import Kernels
from unas.latency.arena_plan import Plan, best_plan
from unas.latency.kernel import Call, Kernel, Place, kernels

Span = tuple[int, int]
# Kernels whose plan is known to the byte.
_PLANNED = (Kernels.DSP, Kernels.PLAIN)


@dataclass(frozen=True, slots=True)
class ArenaLayout:
    """What decides the places.

    Attributes:
        kernels: Whose plan: as the device names its kernels; places of unknown ones are not known.
        fast_bytes: Bytes from the arena's start that lie in the fastest memory; None: all.

    Raises:
        StoreError: A number of bytes below zero.
    """

    kernels: str
    fast_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.fast_bytes is not None and self.fast_bytes < 0:
            raise StoreError(f"{self.fast_bytes} bytes of fast memory; calibrate again")


def calls_of(graph: Graph, layout: ArenaLayout) -> tuple[Call, ...]:
    """The calls of a graph as it is exported, in order."""
    found = kernels(graph)
    if layout.kernels not in _PLANNED:
        return tuple(Call(kernel) for kernel in found)
    buffers = buffers_of(graph, Kernels(layout.kernels))
    places = _Places(graph, buffers, best_plan(buffers), layout.fast_bytes)
    return tuple(Call(kernel, places.of(step, kernel)) for step, kernel in enumerate(found))


class _Places:
    """One planned arena."""

    def __init__(self, graph: Graph, buffers: Buffers, plan: Plan, fast_bytes: int | None) -> None:
        self._graph, self._owners, self._plan = graph, buffers.owners, plan
        self._fast = plan.bytes if fast_bytes is None else fast_bytes
        tensors = len(graph.tensors)
        self._scratch = {g.index - tensors for g in buffers.groups if g.index >= tensors}
        placed = [
            (plan.offsets[group.index], plan.offsets[group.index] + size, first, last)
            for group in buffers.groups
            if group.index < tensors
            for first, last, size in group.spans
        ]
        self._placed = sorted(placed)

    def of(self, step: int, kernel: Kernel) -> Place:
        op = self._graph.operators[step]
        source, target = self._owners.get(op.inputs[0]), self._owners.get(op.output)
        room, at = self._widest(step) if step in self._scratch else (0, 0)
        return Place(
            scratch_bytes=room,
            far_input=self._far(source, kernel.inputs),
            far_output=self._far(target, kernel.outputs),
            near_scratch=max(self._fast - at, 0) if at + room > self._fast else None,
            in_place=source is not None and source == target,
        )

    def _far(self, group: int | None, size: int) -> float:
        if group is None:
            return 0.0
        beyond = self._plan.offsets[group] + size - self._fast
        return 0.0 if beyond <= 0 else min(beyond / size, 1.0)

    def _widest(self, step: int) -> Span:
        """(bytes, offset) of the widest gap while an operator runs: its working memory."""
        room, start, reached = 0, 0, 0
        for begin, end, first, last in self._placed:
            if first <= step <= last:
                if begin - reached > room:
                    room, start = begin - reached, reached
                if end > reached:
                    reached = end
        if self._plan.bytes - reached > room:
            room, start = self._plan.bytes - reached, reached
        return room, start


def fast_bytes_of(regions: Iterable[tuple[int, int, bool]], arena_bytes: int) -> int | None:
    """How many bytes of an arena at the end of RAM lie in the fastest memory.

    Args:
        regions: (start, size, whether it is the fastest) of the data memories; adjacent ones.
        arena_bytes: Size of the arena, which ends where the last region ends.

    Returns:
        None if all of them do.
    """
    data = sorted(regions)
    if all(fastest for _, _, fastest in data):
        return None
    begin = data[-1][0] + data[-1][1] - arena_bytes
    inside = 0
    for start, size, fastest in data:
        if not fastest:
            break
        inside += max(start + size - max(start, begin), 0)
    return inside
