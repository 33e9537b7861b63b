# SPDX-License-Identifier: Apache-2.0
"""Exact search for an execution order with the lowest peak, backwards from the end of a section."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unas.resources.macro_steps import MacroStep


@dataclass(frozen=True, slots=True)
class _Move:
    """Undoing macro-steps: ``left`` and ``live`` describe what remains, ``peak`` what it cost."""

    left: int
    live: int
    peak: int
    undone: tuple[int, ...]


def best_order(
    steps: Sequence[MacroStep], live_at_end: int, known_peak: int
) -> tuple[int, list[int]]:
    """The lowest peak of a section, and an order of its operators that has it.

    States are sets of macro-steps that have run; a best-first search undoes them from the full set
    to the empty one, cheapest peak first. What keeps it small: if undoing a row of steps, each of
    which feeds the one undone before it, ends with no more live bytes than it began with and than
    it passed on the way, and does not exceed the peak so far, then nothing else needs to be tried.

    Why that is safe: the live bytes f are submodular in the set of executed operators (a buffer
    counts if its writer is in the set, less if all its readers are, too). Let T be a state and V
    the one after the row, lowest of all between them. For every state D on a path down from T,
    f(D and V) <= f(D) + f(V) - f(D or V) <= f(D): the path that goes to V first costs no more.

    Args:
        steps: The section.
        live_at_end: Live bytes when all of it has run.
        known_peak: A peak that the whole graph cannot avoid; lower ones are not told apart.

    Returns:
        The larger of ``known_peak`` and the section's lowest peak, and the operators in order.
    """
    everything = (1 << len(steps)) - 1
    queue = [(known_peak, len(steps), live_at_end, everything)]
    came_from: dict[int, tuple[int, tuple[int, ...]]] = {}
    lowest = {everything: known_peak}
    done: set[int] = set()
    while queue:
        peak, _, live, left = heapq.heappop(queue)
        if left == 0:
            return peak, _trace(steps, came_from, everything)
        if left in done:
            continue
        done.add(left)
        for move in _moves(steps, left, live, peak):
            if move.left not in done and move.peak < lowest.get(move.left, move.peak + 1):
                lowest[move.left] = move.peak
                came_from[move.left] = (left, move.undone)
                entry = (move.peak, move.left.bit_count(), move.live, move.left)
                heapq.heappush(queue, entry)
    raise AssertionError("a finite graph without cycles has an order")


def _moves(steps: Sequence[MacroStep], left: int, live: int, peak: int) -> list[_Move]:
    """What may be undone next: one move where that is safe, else every single step."""
    single = []
    for i, step in enumerate(steps):
        if left >> i & 1 and not step.after & left:
            first = _undo(steps, i, left, live, peak)
            single.append(first)
            safe = _safe_row(steps, first, live, peak)
            if safe is not None:
                return [safe]
    return single


def _undo(steps: Sequence[MacroStep], i: int, left: int, live: int, peak: int) -> _Move:
    step = steps[i]
    live -= step.net
    for readers, size in step.reads:
        if not readers & ~left:
            live += size
    return _Move(left & ~(1 << i), live, max(peak, live + step.growth), (i,))


def _safe_row(steps: Sequence[MacroStep], first: _Move, live: int, peak: int) -> _Move | None:
    """A row that begins with a step and that no order needs to avoid; None if there is none."""
    rows = [(first, _dip(steps, first, live))]
    while rows:
        row, lowest = rows.pop()
        if row.peak > peak:
            continue
        if row.live <= lowest:
            return row
        for i in _feeding(steps, row):
            more = _undo(steps, i, row.left, row.live, row.peak)
            more = _Move(more.left, more.live, more.peak, (*row.undone, i))
            rows.append((more, _dip(steps, more, lowest)))
    return None


def _dip(steps: Sequence[MacroStep], row: _Move, lowest: int) -> int:
    """The lowest live bytes on the way, the row's end left out."""
    valley = steps[row.undone[-1]].valley
    return lowest if valley is None else min(lowest, row.live + valley)


def _feeding(steps: Sequence[MacroStep], row: _Move) -> Iterator[int]:
    """Steps that can be undone only now that the row's last one is."""
    for i, step in enumerate(steps):
        if steps[row.undone[-1]].before >> i & 1 and not step.after & row.left:
            yield i


def _trace(
    steps: Sequence[MacroStep], came_from: dict[int, tuple[int, tuple[int, ...]]], everything: int
) -> list[int]:
    order: list[int] = []
    left = 0
    while left != everything:
        left, undone = came_from[left]
        for i in reversed(undone):
            order += steps[i].operators
    return order
