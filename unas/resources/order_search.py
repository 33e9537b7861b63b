# SPDX-License-Identifier: Apache-2.0
"""Exact search for an order of a section's macro-steps with the lowest peak."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from unas.resources.branches import Variant, variants
from unas.resources.macro_steps import MacroStep, bits


class _State(NamedTuple):
    """A set of executed steps, and the steps whose undoing led to it.

    Attributes:
        left: The set.
        ends: Those of the set that nothing in it depends on: what can be undone next.
        live: Live bytes.
        peak: Of the steps undone.
        undone: These steps, the first undone first.
    """

    left: int
    ends: int
    live: int
    peak: int
    undone: tuple[int, ...]


def best_order(
    steps: Sequence[MacroStep], live_at_end: int, known_peak: int
) -> tuple[int, list[int]]:
    """The lowest peak of a section, and an order of its operators that has it.

    Args:
        steps: The section.
        live_at_end: Live bytes when all of it has run.
        known_peak: A peak that the whole graph cannot avoid; lower ones are not told apart.

    Returns:
        The larger of ``known_peak`` and the section's lowest peak, and the operators in order.
    """
    peak = _listed_peak(steps, live_at_end)
    order = list(range(len(steps)))
    for variant in variants(steps):
        floor = max(known_peak, variant.lower_bound)
        if floor < peak:
            found = _Search(variant, floor, peak).run(live_at_end)
            if found is not None:
                peak, order = found
    return max(peak, known_peak), [i for j in order for i in steps[j].operators]


def _listed_peak(steps: Sequence[MacroStep], live_at_end: int) -> int:
    state = _State((1 << len(steps)) - 1, 0, live_at_end, 0, ())
    for i in reversed(range(len(steps))):
        state = _undo(steps, state, i)
    return state.peak


class _Search:
    """Best-first search from the full set of steps back to the empty one, cheapest peak first.

    The live bytes f are submodular in the set of executed operators: a buffer counts once its
    writer is in the set, and no more once all its readers are. Let T be a state and V one that can
    be reached from it within the peak so far, with the least f of all states between the two. For
    every state D on a way down from T, f(D and V) <= f(D) + f(V) - f(D or V) <= f(D): the way over V
    is as good. ``_safe_row`` looks for such a V, and where there is one the search does not branch.
    """

    def __init__(self, variant: Variant, floor: int, ceiling: int) -> None:
        """Searches for peaks from ``floor`` (known to be the least possible) below ``ceiling``."""
        self._variant, self._steps = variant, variant.steps
        self._limit, self._ceiling = floor, ceiling
        self._queue: list[tuple[int, int, int, int, int]] = []
        self._lowest: dict[int, int] = {}
        self._came_from: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._allowed = self._wanted = 0
        self._waiting: list[tuple[int, _State]] = []

    def run(self, live_at_end: int) -> tuple[int, list[int]] | None:
        """The lowest peak and its order, as indices of steps; None if it is not below the ceiling."""
        ends = sum(1 << i for i, step in enumerate(self._steps) if not step.after)
        everything = (1 << len(self._steps)) - 1
        self._push(0, self._limit, [_State(everything, ends, live_at_end, 0, ())])
        done: set[int] = set()
        while True:
            if not self._queue or self._queue[0][0] > self._limit:
                if self._wanted & ~self._allowed:
                    self._allow_wanted()
                    continue
                if not self._queue:
                    return None
            peak, _, live, left, ends = heapq.heappop(self._queue)
            if left in done:
                continue
            done.add(left)
            self._limit = max(self._limit, peak)
            if left == 0:
                return peak, self._trace(everything)
            self._push(left, peak, self._moves(_State(left, ends, live, peak, ())))

    def _push(self, origin: int, peak: int, moves: Iterable[_State]) -> None:
        for move in moves:
            total = max(peak, move.peak)
            if total < self._lowest.get(move.left, self._ceiling):
                self._lowest[move.left] = total
                self._came_from[move.left] = (origin, move.undone)
                entry = (total, move.left.bit_count(), move.live, move.left, move.ends)
                heapq.heappush(self._queue, entry)

    def _moves(self, state: _State) -> list[_State]:
        """What may be undone next: one row where that is safe, else single steps."""
        before_gate = state.left & self._variant.gate
        held_back = self._variant.deferrable & ~self._allowed if before_gate else 0
        single = []
        for i in bits(state.ends):
            first = _undo(self._steps, state._replace(peak=0), i)
            row = self._safe_row(first, state.live)
            if row is not None:
                return [row]
            if not held_back >> i & 1:
                single.append(first)
        if held_back & state.ends:
            self._waiting.append((state.peak, state))
        if self._variant.gate and not before_gate:
            self._want(state.ends)
        return single

    def _safe_row(self, first: _State, live: int) -> _State | None:
        """A row that begins with a step and that no order needs to avoid; None if there is none.

        In a row each step can be undone only because the one before it was, so that the states
        between its ends are those it passes.
        """
        rows = [(first, self._dip(first, live))]
        while rows:
            row, lowest = rows.pop()
            if row.peak > self._limit:
                continue
            if row.live <= lowest:
                return row
            for i in bits(self._steps[row.undone[-1]].before & row.ends):
                longer = _undo(self._steps, row, i)
                rows.append((longer, self._dip(longer, lowest)))
        return None

    def _dip(self, row: _State, lowest: int) -> int:
        """The least live bytes on the way, the row's end left out."""
        valley = self._steps[row.undone[-1]].valley
        return lowest if valley is None else min(lowest, row.live + valley)

    def _want(self, stuck: int) -> None:
        """Behind the gate a branch may be stuck because of a step held back on its path."""
        held_back = self._variant.deferrable & ~self._allowed
        for i in bits(stuck):
            on_path = (j for j in self._variant.paths[i] if held_back >> j & 1)
            self._wanted |= 1 << j if (j := next(on_path, -1)) >= 0 else 0

    def _allow_wanted(self) -> None:
        self._allowed |= self._wanted
        waiting, self._waiting = self._waiting, []
        for peak, state in waiting:
            self._push(state.left, peak, self._moves(state))

    def _trace(self, everything: int) -> list[int]:
        order: list[int] = []
        left = 0
        while left != everything:
            left, undone = self._came_from[left]
            order += reversed(undone)
        return order


def _undo(steps: Sequence[MacroStep], state: _State, i: int) -> _State:
    left, ends, live, peak, undone = state
    step = steps[i]
    live -= step.net
    for readers, size in step.reads:
        if not readers & ~left:
            live += size
    left ^= 1 << i
    ends ^= 1 << i
    for j in bits(step.before):
        if not steps[j].after & left:
            ends |= 1 << j
    growth = live + step.growth
    return _State(left, ends, live, growth if growth > peak else peak, (*undone, i))
