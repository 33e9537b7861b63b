# SPDX-License-Identifier: Apache-2.0
"""Searches a smaller plan of the tensor arena than the greedy ones.

Depth first, branch and bound, over plans whose offsets never fall from one placed group to the
next. A branch ends where the groups that wait, stacked on those that are placed, would reach as
high as the best plan so far.

The result is an order as much as a plan: a device that is handed the order places one group after
the other, each at the lowest free offset. In the order of an optimal plan's offsets this gives an
optimal plan (no group comes to lie higher than it lay), so orders are enough, and none of them can
be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# Placements that are tried: for a device, which uses the plan for good, and for a prediction, which
# is asked for many networks. A first way down takes one for each group; few networks gain by more.
DEVICE_NODE_LIMIT = 20_000
PREDICTION_NODE_LIMIT = 80

Span = tuple[int, int, int]
"""First and last operator, and bytes, of one buffer."""
Heights = Mapping[int, int]
"""Bytes that a group of buffers takes while an operator runs, by the operator's position."""


@dataclass(frozen=True, slots=True)
class ArenaPlan:
    """Where groups of buffers lie in the arena.

    Attributes:
        bytes: Where the highest group ends.
        offsets: From the arena's start, by the group's index, in the order of placing.
    """

    bytes: int
    offsets: Mapping[int, int]

    @property
    def order(self) -> tuple[int, ...]:
        """Indices of the groups in the order in which they were placed."""
        return tuple(self.offsets)


def heights_of(spans: Iterable[Span]) -> dict[int, int]:
    """The heights of buffers that share their bytes."""
    heights: dict[int, int] = {}
    for first, last, size in spans:
        for step in range(first, last + 1):
            heights[step] = max(heights.get(step, 0), size)
    return heights


def lower_bound(groups: Iterable[Heights]) -> int:
    """The largest sum of bytes that live at once: no plan has less."""
    live: dict[int, int] = {}
    for heights in groups:
        for step, height in heights.items():
            live[step] = live.get(step, 0) + height
    return max(live.values(), default=0)


def search_plan(
    groups: Mapping[int, Heights], *, known_bytes: int, node_limit: int
) -> ArenaPlan | None:
    """The smallest plan that can be found; None if none is smaller than a known one.

    Args:
        groups: What is to be placed, by index.
        known_bytes: Of a plan that is known.
        node_limit: Placements to try; if the search ends before, the plan is optimal.
    """
    return _Search(groups, known_bytes, node_limit).run()


class _Search:
    """State of one search. Steps are positions of operators."""

    def __init__(self, groups: Mapping[int, Heights], known_bytes: int, node_limit: int) -> None:
        # The large and long-lived first: they decide most.
        ordered = sorted(groups.items(), key=lambda item: (-sum(item[1].values()), item[0]))
        self._indices = [index for index, _ in ordered]
        self._heights = [heights for _, heights in ordered]
        self._best_bytes = known_bytes
        self._best: ArenaPlan | None = None
        self._nodes_left = node_limit
        steps = 1 + max((step for heights in self._heights for step in heights), default=0)
        self._tops = [0] * steps  # how high the placed groups reach
        self._waiting = [0] * steps  # bytes that are not placed yet
        for heights in self._heights:
            for step, height in heights.items():
                self._waiting[step] += height
        self._bound = max(self._waiting)
        self._offsets: dict[int, int] = {}
        self._left = set(range(len(ordered)))

    def run(self) -> ArenaPlan | None:
        if self._best_bytes > self._bound:
            self._descend(0)
        return self._best

    def _descend(self, floor: int) -> None:
        if not self._left:
            self._best_bytes = max(self._tops)
            self._best = ArenaPlan(self._best_bytes, dict(self._offsets))
            return
        tops = self._tops
        choices = sorted(
            [(max(floor, max([tops[s] for s in self._heights[i]])), i) for i in self._left]
        )
        for offset, i in choices:
            if self._nodes_left == 0 or self._best_bytes == self._bound:
                return
            self._nodes_left -= 1
            tops_before = self._place(i, offset)
            if self._is_promising(offset):
                self._descend(offset)
            self._take_back(i, tops_before)

    def _is_promising(self, floor: int) -> bool:
        return all(
            (max(top, floor) + waiting if waiting else top) < self._best_bytes
            for top, waiting in zip(self._tops, self._waiting, strict=True)
        )

    def _place(self, i: int, offset: int) -> list[tuple[int, int]]:
        tops_before = []
        self._offsets[self._indices[i]] = offset
        for step, height in self._heights[i].items():
            tops_before.append((step, self._tops[step]))
            self._tops[step] = offset + height
            self._waiting[step] -= height
        self._left.remove(i)
        return tops_before

    def _take_back(self, i: int, tops_before: Sequence[tuple[int, int]]) -> None:
        del self._offsets[self._indices[i]]
        for step, top in tops_before:
            self._tops[step] = top
        for step, height in self._heights[i].items():
            self._waiting[step] += height
        self._left.add(i)
