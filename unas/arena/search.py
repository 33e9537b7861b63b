# SPDX-License-Identifier: Apache-2.0
"""Searches a smaller plan of the tensor arena than the greedy ones, as the host does for a device.

Depth first, branch and bound, over plans whose offsets never fall from one placed group to the
next. A branch ends where the groups that wait, stacked on those that are placed, would reach as
high as the best plan so far. ``unas.hil.offline_plan`` searches likewise, with more patience.
"""

from __future__ import annotations

from collections.abc import Sequence

from unas.arena.liveness import Group

# A first way down takes one for each group; few networks gain by more.
NODE_LIMIT = 80


def searched_plan(
    groups: Sequence[Group], *, known: int, bound: int, node_limit: int = NODE_LIMIT
) -> tuple[int, dict[int, int]] | None:
    """The smallest plan found, as its bytes and offsets by group; None if none is below ``known``.

    Args:
        groups: What is to be placed.
        known: Bytes of a plan that is known.
        bound: No plan has less.
        node_limit: Placements to try.
    """
    return _Search(groups, known, bound, node_limit).run()


class _Search:
    """State of one search. Heights are bytes by step."""

    def __init__(self, groups: Sequence[Group], known: int, bound: int, nodes: int) -> None:
        heights = [(_heights(group), group.index) for group in groups]
        # The large and long-lived first: they decide most.
        heights.sort(key=lambda pair: (-sum(pair[0].values()), pair[1]))
        self._heights = [height for height, _ in heights]
        self._names = [name for _, name in heights]
        self._offsets: dict[int, int] = {}
        self._found: dict[int, int] | None = None
        self._best, self._bound, self._nodes = known, bound, nodes
        steps = 1 + max((step for height in self._heights for step in height), default=0)
        self._tops = [0] * steps  # how high the placed ones reach
        self._waiting = [0] * steps  # bytes that are not placed yet
        for height in self._heights:
            for step, size in height.items():
                self._waiting[step] += size
        self._left = set(range(len(self._heights)))

    def run(self) -> tuple[int, dict[int, int]] | None:
        if self._best > self._bound:
            self._descend(0)
        return None if self._found is None else (self._best, self._found)

    def _descend(self, floor: int) -> None:
        if not self._left:
            self._best, self._found = max(self._tops), dict(self._offsets)
            return
        tops = self._tops
        choices = sorted(
            [(max(floor, max([tops[s] for s in self._heights[i]])), i) for i in self._left]
        )
        for offset, i in choices:
            if self._nodes == 0 or self._best == self._bound:
                return
            self._nodes -= 1
            saved = self._place(i, offset)
            if self._is_promising(offset):
                self._descend(offset)
            self._take_back(i, saved)

    def _is_promising(self, floor: int) -> bool:
        return all(
            (max(top, floor) + waiting if waiting else top) < self._best
            for top, waiting in zip(self._tops, self._waiting, strict=True)
        )

    def _place(self, i: int, offset: int) -> list[tuple[int, int]]:
        saved = []
        self._offsets[self._names[i]] = offset
        for step, size in self._heights[i].items():
            saved.append((step, self._tops[step]))
            self._tops[step] = offset + size
            self._waiting[step] -= size
        self._left.remove(i)
        return saved

    def _take_back(self, i: int, saved: Sequence[tuple[int, int]]) -> None:
        for step, top in saved:
            self._tops[step] = top
        for step, size in self._heights[i].items():
            self._waiting[step] += size
        self._left.add(i)


def _heights(group: Group) -> dict[int, int]:
    heights: dict[int, int] = {}
    for first, last, size in group.spans:
        for step in range(first, last + 1):
            heights[step] = max(heights.get(step, 0), size)
    return heights
