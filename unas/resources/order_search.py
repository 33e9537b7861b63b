# SPDX-License-Identifier: Apache-2.0
"""Peak memory: the least RAM for activations that any execution order needs, found exactly."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from unas.graph import Graph
from unas.resources.liveness import Liveness, analyse
from unas.resources.macro_steps import MacroStep, Variant, bits, macro_steps, sections, variants


class _Row(NamedTuple):
    """Steps to undo one after the other; bytes are counted from what is live before.

    Attributes:
        steps: Their indices, the first to be undone first.
        live: By how much the live bytes change.
        peak: Largest working set on the way.
        lowest: Least live bytes on the way, the row's end left out.
        removed: The steps as a set.
        ends: Steps that can be undone now and could not before.
    """

    steps: tuple[int, ...]
    live: int
    peak: int
    lowest: int
    removed: int
    ends: int


_NOTHING = _Row((), 0, 0, 0, 0, 0)


def best_order(
    steps: Sequence[MacroStep], live_at_end: int, known_peak: int
) -> tuple[int, list[int]]:
    """The lowest peak of a section, and an order of its operators that has it.

    Args:
        steps: The section.
        live_at_end: Live bytes when all of it has run.
        known_peak: A peak that the whole graph cannot avoid; lower peaks count as this one.

    Returns:
        The larger of ``known_peak`` and the section's lowest peak, and the operators in order.
    """
    peak = _listed_peak(steps, live_at_end)
    order = list(range(len(steps)))
    for variant in variants(steps):
        floor = max(known_peak, variant.lower_bound)
        # A search that starts at the highest peak of interest seldom branches: most variants can
        # be ruled out by it. Only where it succeeds the lowest peak is worth finding.
        if floor < peak and _Search(variant, peak - 1, peak).run(live_at_end) is not None:
            result = _Search(variant, floor, peak).run(live_at_end)
            if result is not None:
                peak, order = result
    return max(peak, known_peak), [i for j in order for i in steps[j].operators]


def _listed_peak(steps: Sequence[MacroStep], live_at_end: int) -> int:
    everything = (1 << len(steps)) - 1
    row = _NOTHING
    for i in reversed(range(len(steps))):
        row = _undo(steps, row, i, everything)
    return live_at_end + row.peak


class _Search:
    """Best-first search from the full set of steps back to the empty one, cheapest peak first.

    The live bytes f are submodular in the set of executed operators: a buffer counts once its
    writer is in the set, and no more once all its readers are. Let T be a state and V one that can
    be reached from it within the peak so far, with the least f of all states between the two. For
    every state D on a way down from T, f(D and V) <= f(D) + f(V) - f(D or V) <= f(D): the way over
    V is as good. ``_settle`` goes to such a V where it can, and the search does not branch there.
    """

    def __init__(self, variant: Variant, floor: int, ceiling: int) -> None:
        """Searches for peaks from ``floor`` (known to be the least possible) below ``ceiling``."""
        self._steps, self._gate = variant.steps, variant.gate
        self._variant, self._limit, self._ceiling = variant, floor, ceiling
        self._queue: list[tuple[int, int, int, int, int]] = []
        self._done: set[int] = set()
        self._lowest: dict[int, int] = {}
        self._came_from: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._held_back = variant.deferrable
        self._stuck = 0
        self._waiting: list[tuple[int, int, int, int]] = []
        self._reach = _reach(variant.steps)
        self._rows: dict[tuple[int, int], tuple[_Row, _Row | None]] = {}

    def run(self, live_at_end: int) -> tuple[int, list[int]] | None:
        """The lowest peak and its order, as indices of steps; None if not below the ceiling."""
        everything = (1 << len(self._steps)) - 1
        ends = sum(1 << i for i, step in enumerate(self._steps) if not step.after)
        self._queue.append((self._limit, 0, live_at_end, everything, ends))
        while True:
            if not self._queue or self._queue[0][0] > self._limit:
                if self._allow_wanted():
                    continue
                if not self._queue:
                    return None
            peak, _, live, left, ends = heapq.heappop(self._queue)
            self._limit = max(self._limit, peak)
            if left in self._done:
                continue
            self._done.add(left)
            origin = left
            live, left, ends, undone = self._settle(live, left, ends)
            if left != origin:
                if left in self._done:
                    continue
                self._done.add(left)
                self._came_from[left] = (origin, undone)
            if left == 0:
                return self._limit, self._trace(everything)
            self._branch(peak, live, left, ends)

    def _settle(self, live: int, left: int, ends: int) -> tuple[int, int, int, tuple[int, ...]]:
        """Undoes safe rows as long as there are any."""
        undone: tuple[int, ...] = ()
        ahead = ends
        while ahead:
            # The innermost loop of all: ``bits`` would cost a third of the time.
            bit = ahead & -ahead
            ahead ^= bit
            _, row = self._rows_from(bit.bit_length() - 1, left)
            if row is not None and live + row.peak <= self._limit:
                live += row.live
                left &= ~row.removed
                ahead = ends = ends & ~row.removed | row.ends
                undone += row.steps
        return live, left, ends, undone

    def _rows_from(self, i: int, left: int) -> tuple[_Row, _Row | None]:
        """A step alone, and the lightest row that begins with it and ends in a low.

        In a row each step can be undone only because the one before it was, so that the states
        between its ends are those it passes. It is safe if no live bytes before its end, its
        beginning among them, are fewer than those at its end. The lightest such row has the lowest
        peak; None if there is no such row.
        """
        key = (i, left & self._reach[i])
        known = self._rows.get(key)
        if known is None:
            known = self._rows[key] = self._find_rows(i, left)
        return known

    def _find_rows(self, i: int, left: int) -> tuple[_Row, _Row | None]:
        alone = _undo(self._steps, _NOTHING, i, left)
        best: _Row | None = None
        rows = [alone]
        while rows:
            row = rows.pop()
            if best is not None and row.peak >= best.peak:
                continue
            if row.live <= row.lowest:
                best = row
                continue
            for j in bits(row.ends & self._steps[row.steps[-1]].before):
                rows.append(_undo(self._steps, row, j, left))
        return alone, best

    def _branch(self, peak: int, live: int, left: int, ends: int) -> None:
        """Undoes each single step that may be undone next, unless it is held back."""
        held_back = self._held_back if left & self._gate else 0
        if held_back & ends:
            self._waiting.append((peak, live, left, ends))
        if self._gate and not left & self._gate:
            self._stuck |= ends
        for i in bits(ends & ~held_back):
            step, _ = self._rows_from(i, left)
            then = left & ~step.removed
            total = max(peak, live + step.peak)
            if then not in self._done and total < self._lowest.get(then, self._ceiling):
                self._lowest[then] = total
                self._came_from[then] = (left, step.steps)
                then_ends = ends & ~step.removed | step.ends
                entry = (total, then.bit_count(), live + step.live, then, then_ends)
                heapq.heappush(self._queue, entry)

    def _allow_wanted(self) -> bool:
        """Holds no longer back what may be in the way of a branch stuck behind the gate.

        That is, on the path to where it is stuck, the first step held back. False if there is none.
        """
        wanted = 0
        for i in bits(self._stuck):
            on_path = (1 << j for j in self._variant.paths[i])
            wanted |= next((bit for bit in on_path if bit & self._held_back), 0)
        if not wanted:
            return False
        self._held_back &= ~wanted
        waiting, self._waiting = self._waiting, []
        for state in waiting:
            self._branch(*state)
        return True

    def _trace(self, everything: int) -> list[int]:
        order: list[int] = []
        left = 0
        while left != everything:
            left, undone = self._came_from[left]
            order += reversed(undone)
        return order


def _undo(steps: Sequence[MacroStep], row: _Row, i: int, left: int) -> _Row:
    """A row with one more step at its end; ``left`` is what there was before the row."""
    undone, live, peak, lowest, removed, ends = row
    step = steps[i]
    if undone:
        lowest = min(lowest, live)
    left &= ~removed
    live -= step.net
    for readers, size in step.reads:
        if not readers & ~left:
            live += size
    if step.valley is not None:
        lowest = min(lowest, live + step.valley)
    left &= ~(1 << i)
    ends &= ~(1 << i)
    for j in bits(step.before):
        if not steps[j].after & left:
            ends |= 1 << j
    return _Row((*undone, i), live, max(peak, live + step.growth), lowest, removed | 1 << i, ends)


def _reach(steps: Sequence[MacroStep]) -> list[int]:
    """For each step, the set of those whose presence decides what its rows do."""
    reach: list[int] = []
    for step in steps:
        mask = step.after
        for readers, _ in step.reads:
            mask |= readers
        reach.append(mask)
    for i, step in enumerate(steps):
        for j in bits(step.before):
            reach[i] |= reach[j]
    return reach


@dataclass(frozen=True, slots=True)
class PeakMemory:
    """The lowest peak over all execution orders.

    Attributes:
        bytes: Largest working set, in bytes.
        order: Positions of the graph's operators in an order with that peak; the graph's own order
            where that has it.
    """

    bytes: int
    order: tuple[int, ...]


def peak_memory(graph: Graph, *, count_input: bool, in_place_add: bool) -> PeakMemory:
    """The exact minimum, over all execution orders, of the largest working set.

    A working set is every live buffer while one operator runs, its inputs and its output among
    them; ``unas.resources.liveness`` has the rules. Alignment, scratch buffers and the structures
    of the interpreter are not in it.

    Args:
        graph: Any graph. Those of the search spaces take milliseconds; an arbitrary graph with many
            operators that are free to run in any order may take exponential time.
        count_input: Whether the input's buffer counts. The paper leaves it out; a real tensor arena
            holds it.
        in_place_add: Whether an ADD writes over a summand of its own shape that nothing else reads.
            TensorFlow Lite Micro cannot do that.
    """
    live = analyse(graph, count_input=count_input, in_place_add=in_place_add)
    as_listed = tuple(range(len(live.steps)))
    listed_peak = max(live.working_sets(as_listed), default=live.start_bytes)
    lowest = max((_unavoidable(live, i) for i in as_listed), default=live.start_bytes)
    if lowest == listed_peak:
        return PeakMemory(lowest, as_listed)
    order: list[int] = []
    peak = lowest
    for section, live_at_end in _with_live_bytes(live):
        if len(section) == 1:
            order += section
            continue
        peak, part = best_order(macro_steps(live, section), live_at_end, peak)
        order += part
    peak = max(live.working_sets(order))
    return PeakMemory(peak, as_listed if peak == listed_peak else tuple(order))


def _unavoidable(live: Liveness, position: int) -> int:
    """A working set that an operator has in every order: what it reads and what it writes."""
    step = live.steps[position]
    return step.growth + sum(size for _, size in step.reads)


def _with_live_bytes(live: Liveness) -> list[tuple[list[int], int]]:
    """The sections, each with the live bytes at its end."""
    groups, now, done = [], live.start_bytes, 0
    for section in sections(live):
        for position in section:
            done |= 1 << position
            now += live.steps[position].kept - live.steps[position].freed(done)
        groups.append((section, now))
    return groups
