# SPDX-License-Identifier: Apache-2.0
"""Peak memory: the least RAM for activations that any execution order needs."""

from __future__ import annotations

from dataclasses import dataclass

from unas.graph import Graph
from unas.resources.liveness import Liveness, analyse
from unas.resources.macro_steps import macro_steps, sections
from unas.resources.order_search import best_order


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
