# SPDX-License-Identifier: Apache-2.0
"""Searches a better plan of the tensor arena than the device's greedy ones.

A plan is handed to the device as an order: it places one buffer after the other, each at the lowest
free offset. In the order of an optimal plan's offsets this gives an optimal plan (no buffer comes
to lie higher than it lay), so orders are enough, and none of them can be wrong.

The search is a depth-first branch and bound over plans whose offsets never fall from one placed
buffer to the next. A branch ends where some operator's buffers, those that wait stacked on those
that are placed, would reach as high as the best plan so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unas.errors import ModelError, ToolError
from unas.host.runtime import HostBuffer, list_buffers

# Enough to open what fits any board; the plan does not depend on it.
_ARENA_BYTES = 8 * 1024 * 1024
_NODE_LIMIT = 20_000
# What the wire carries and the device keeps.
ORDER_MAX = 256


@dataclass(frozen=True, slots=True)
class Group:
    """Buffers that are placed as one because they share their bytes.

    Attributes:
        index: The owner's number in the runtime.
        heights: Bytes it takes while an operator runs, by the operator's position.
    """

    index: int
    heights: dict[int, int]


def offline_order(model: bytes, kernels: str) -> tuple[int, ...]:
    """An order that gives a smaller arena than the device finds by itself.

    Args:
        model: An int8 .tflite file.
        kernels: What the device says its kernels are: their working memory is planned too.

    Returns:
        Numbers of buffers; empty where nothing better was found, or no C compiler is at hand.
    """
    try:
        buffers = list_buffers(model, arena_bytes=_ARENA_BYTES, kernels=kernels)
    except (ModelError, ToolError, KeyError):
        return ()  # the device says what is wrong with the model; without compiler its plan is used
    greedy = max((one.at + one.bytes for one in buffers if one.owner == one.index), default=0)
    order = search_order(groups_of(buffers), greedy)
    return order if len(order) <= ORDER_MAX else ()


def groups_of(buffers: Sequence[HostBuffer]) -> tuple[Group, ...]:
    """Buffers by owner."""
    heights: dict[int, dict[int, int]] = {}
    for one in buffers:
        if one.bytes == 0:
            continue
        group = heights.setdefault(one.owner, {})
        for position in range(one.first, one.last + 1):
            group[position] = max(group.get(position, 0), one.bytes)
    return tuple(Group(index, group) for index, group in sorted(heights.items()))


def lower_bound(groups: Sequence[Group]) -> int:
    """The most bytes that are alive at once."""
    live: dict[int, int] = {}
    for group in groups:
        for position, height in group.heights.items():
            live[position] = live.get(position, 0) + height
    return max(live.values(), default=0)


def search_order(
    groups: Sequence[Group], known: int, *, node_limit: int = _NODE_LIMIT
) -> tuple[int, ...]:
    """The best order found whose plan is smaller than a known one.

    Args:
        groups: What is to be placed.
        known: Bytes of the known plan.
        node_limit: Placements to try; the result is optimal if the search ends before.

    Returns:
        Indices of groups in the order to place them; empty if no plan is smaller.
    """
    return _Search(groups, known, node_limit).run()


class _Search:
    """State of one branch and bound."""

    def __init__(self, groups: Sequence[Group], known: int, node_limit: int) -> None:
        # The large and long-lived first: they decide most.
        self._groups = sorted(groups, key=lambda g: (-sum(g.heights.values()), g.index))
        self._bound = lower_bound(groups)
        self._best_top = known
        self._best: tuple[int, ...] = ()
        self._nodes = node_limit
        positions = {position for group in groups for position in group.heights}
        self._tops = dict.fromkeys(positions, 0)  # how high the placed ones reach
        self._waiting = dict.fromkeys(positions, 0)  # bytes not yet placed
        for group in groups:
            for position, height in group.heights.items():
                self._waiting[position] += height
        self._placed: list[int] = []
        self._left = set(range(len(self._groups)))

    def run(self) -> tuple[int, ...]:
        if self._best_top > self._bound:
            self._descend(0)
        return self._best

    def _descend(self, floor: int) -> None:
        if not self._left:
            self._best_top = max(self._tops.values())
            self._best = tuple(self._groups[i].index for i in self._placed)
            return
        for offset, i in self._choices(floor):
            if self._nodes == 0 or self._best_top == self._bound:
                return
            self._nodes -= 1
            saved = self._place(i, offset)
            if self._promising(offset):
                self._descend(offset)
            self._take_back(i, saved)

    def _choices(self, floor: int) -> list[tuple[int, int]]:
        """(offset, group), lowest offset first; only offsets that do not fall."""
        found = []
        for i in self._left:
            offset = max(self._tops[position] for position in self._groups[i].heights)
            found.append((max(offset, floor), i))
        return sorted(found)

    def _promising(self, floor: int) -> bool:
        return all(
            max(self._tops[position], floor) + waiting < self._best_top
            if waiting
            else self._tops[position] < self._best_top
            for position, waiting in self._waiting.items()
        )

    def _place(self, i: int, offset: int) -> dict[int, int]:
        heights = self._groups[i].heights
        saved = {position: self._tops[position] for position in heights}
        for position, height in heights.items():
            self._tops[position] = offset + height
            self._waiting[position] -= height
        self._left.remove(i)
        self._placed.append(i)
        return saved

    def _take_back(self, i: int, saved: dict[int, int]) -> None:
        self._tops.update(saved)
        for position, height in self._groups[i].heights.items():
            self._waiting[position] += height
        self._left.add(i)
        self._placed.pop()
