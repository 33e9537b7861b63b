# SPDX-License-Identifier: Apache-2.0
"""Plans of the tensor arena: the built-in runtime's greedy ones, and the search beyond them.

One buffer after the other, each at the lowest offset that is free for all its life; what differs is
the order (Y. Pisarchyk and J. Lee, "Efficient Memory Management for Deep Neural Net Inference",
arXiv:2001.03288, section 5.2). TensorFlow Lite Micro's planner is the first of them.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from unas.arena.liveness import BufferGroup, Buffers, aligned
from unas.arena.search import PREDICTION_NODE_LIMIT, ArenaPlan, Span, heights_of, search_plan

_Placed = tuple[int, int, int, int]  # from offset, to offset, first and last operator


def best_plan(buffers: Buffers) -> ArenaPlan:
    """The smallest plan: often of ``bound_bytes``, never of less.

    The runtime tries an order by size, by life, by their product and by start, in this turn, and
    stops at the bound. Where all miss it, the host searches an order for it.
    """
    best = _place(sorted(buffers.groups, key=_by_size))
    for rank in (_by_life, _by_area, _by_start):
        if best.bytes <= buffers.bound_bytes:
            return best
        plan = _place(sorted(buffers.groups, key=rank), best.bytes)
        best = plan if plan.bytes < best.bytes else best
    if best.bytes <= buffers.bound_bytes:
        return best
    heights = {group.index: heights_of(group.spans) for group in buffers.groups}
    smaller = search_plan(heights, known_bytes=best.bytes, node_limit=PREDICTION_NODE_LIMIT)
    return smaller or best


def greedy_plan(buffers: Buffers) -> ArenaPlan:
    """The one plan that TensorFlow Lite Micro makes: by size, of equals the last first."""
    return _place(sorted(buffers.groups, key=lambda group: (-aligned(group.size), -group.index)))


def _by_size(group: BufferGroup) -> tuple[int, int, int]:
    return -aligned(group.size), -group.size, group.index


def _by_life(group: BufferGroup) -> tuple[int, int, int]:
    return group.first - group.last, -group.size, group.index


def _by_area(group: BufferGroup) -> tuple[int, int, int]:
    life = group.last - group.first + 1
    return -aligned(group.size) * life, -group.size, group.index


def _by_start(group: BufferGroup) -> tuple[int, int, int]:
    return group.first, -group.size, group.index


def _place(groups: Sequence[BufferGroup], limit: int | None = None) -> ArenaPlan:
    """Place groups in this order; stops at a plan that is no smaller than the limit."""
    offsets: dict[int, int] = {}
    placed: list[_Placed] = []  # by offset
    top = 0
    for group in groups:
        at = offsets[group.index] = _lowest(group.spans, placed)
        for first, last, size in group.spans:
            bisect.insort(placed, (at, at + size, first, last))
            top = max(top, at + size)
        if limit is not None and top >= limit:
            break
    return ArenaPlan(top, offsets)


def _lowest(spans: Sequence[Span], placed: Sequence[_Placed]) -> int:
    """The lowest offset at which all spans of a group are free."""
    at, before = 0, -1
    while at != before:  # one that moves up may run into what another one had passed
        before = at
        for first, last, size in spans:
            for begin, end, since, until in placed:
                if begin >= at + size:
                    break
                if end > at and since <= last and first <= until:
                    at = end
        if len(spans) == 1:
            break
    return at
