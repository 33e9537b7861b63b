# SPDX-License-Identifier: Apache-2.0
"""Parallel branches that read one tensor: what makes the exact search fast on them.

In the search space a section is a fork and a join: branches that all read one tensor, the source,
and are added up. But for the source it would be a tree, and on trees the search hardly branches.
The source ties the branches together: it dies with the last of them that starts. So the section is
solved once for each branch under the rule that this one starts last (a ``Variant``); the best of
these solutions is the best of all.

Backwards in time, from the end of the section: while the last starter has not been undone, the
source is dead and no other branch may be undone to its start. Undoing steps of theirs halfway makes
nothing lighter. The search holds such ``deferrable`` steps back, and allows those only that lie in
the way of a branch that gets stuck afterwards. ``docs/paper.md`` proves that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from unas.resources.macro_steps import MacroStep, bits


@dataclass(frozen=True, slots=True)
class Variant:
    """A section, possibly under the rule that one branch starts last. Sets are bit masks.

    Attributes:
        steps: The section's macro-steps, with the rule among their dependencies.
        gate: The first step of the branch that starts last; empty where there is no rule.
        deferrable: Steps that need not be undone before the gate, unless something gets stuck.
        paths: For each step, the steps from the section's end to it, both included.
        lower_bound: Bytes that no order of this variant can do without.
    """

    steps: tuple[MacroStep, ...]
    gate: int = 0
    deferrable: int = 0
    paths: tuple[tuple[int, ...], ...] = ()
    lower_bound: int = 0


def variants(steps: Sequence[MacroStep]) -> list[Variant]:
    """The variants of a section, the most promising first; their best solution is the section's."""
    source_bytes = _source_bytes(steps)
    if source_bytes is None:
        return [Variant(tuple(steps))]
    held = _held_bytes(steps)
    least = _least_bytes(steps, held)
    deferrable = sum(
        1 << i
        for i, step in enumerate(steps)
        if step.before and held[i] <= sum(least[j] for j in bits(step.before))
    )
    paths = _paths(steps)
    found = []
    for first, step in enumerate(steps):
        if step.before:
            continue
        beside = sum(
            least[k] for j in paths[first] for k in bits(steps[j].before) if k not in paths[first]
        )
        found.append(
            Variant(
                steps=_starting_last(steps, first),
                gate=1 << first,
                deferrable=deferrable & ~sum(1 << i for i in paths[first]),
                paths=paths,
                # When it starts, the source is live and every other branch holds something.
                lower_bound=source_bytes + beside + step.growth,
            )
        )
    return sorted(found, key=lambda variant: variant.lower_bound)


def _source_bytes(steps: Sequence[MacroStep]) -> int | None:
    """Size of the tensor that all branches of a tree read and that dies with them, if it is so."""
    if any(step.after.bit_count() > 1 for step in steps):
        return None
    firsts = [i for i, step in enumerate(steps) if not step.before]
    sources = {steps[i].reads for i in firsts}
    if len(firsts) < 2 or len(sources) > 1:
        return None
    reads = sources.pop()
    if len(reads) != 1 or reads[0][0] != sum(1 << i for i in firsts) or reads[0][1] == 0:
        return None
    return reads[0][1]


def _held_bytes(steps: Sequence[MacroStep]) -> list[int]:
    """Bytes that each step leaves live of its branch."""
    held: list[int] = []
    for step in steps:
        freed = sum(size for _, size in step.reads) if step.before else 0
        held.append(step.net - freed + sum(held[j] for j in bits(step.before)))
    return held


def _least_bytes(steps: Sequence[MacroStep], held: Sequence[int]) -> list[int]:
    """The least that is live of the branches behind each step, once all of them have started."""
    least: list[int] = []
    for step, own in zip(steps, held, strict=True):
        behind = sum(least[j] for j in bits(step.before))
        least.append(min(own, behind) if step.before else own)
    return least


def _paths(steps: Sequence[MacroStep]) -> tuple[tuple[int, ...], ...]:
    paths: list[tuple[int, ...]] = [()] * len(steps)
    for i in reversed(range(len(steps))):
        beyond = paths[steps[i].after.bit_length() - 1] if steps[i].after else ()
        paths[i] = (*beyond, i)
    return tuple(paths)


def _starting_last(steps: Sequence[MacroStep], first: int) -> tuple[MacroStep, ...]:
    """The steps under the rule; it makes the source the business of one step alone."""
    ruled = []
    for i, step in enumerate(steps):
        if i == first:
            others = sum(1 << j for j, x in enumerate(steps) if not x.before and j != first)
            source = tuple((1 << first, size) for _, size in step.reads)
            ruled.append(replace(step, before=others, reads=source))
        elif not step.before:
            ruled.append(replace(step, after=step.after | 1 << first, reads=()))
        else:
            ruled.append(step)
    return tuple(ruled)
