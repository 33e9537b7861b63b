# SPDX-License-Identifier: Apache-2.0
"""Makes the search for the best execution order small without losing the optimum.

Two reductions, both exact:

* An operator that every other one must precede or follow has a fixed place in every order. It cuts
  the graph into sections that are solved one by one (``sections``).
* In a chain, where each operator reads only the one before it, the live bytes are those of one
  tensor. An order that leaves the chain waiting at a tensor is never better than one that leaves it
  at a smaller tensor, as long as the passage to that one costs no more than a passage which must be
  made anyway. So a chain may only rest where its tensor is smaller than all before it or all after
  it, and where the passages (hills) fall on the way up and rise on the way down. Everything between
  two resting places is one macro-step. This is the hill-valley form of J. W. H. Liu, "An
  application of generalized tree pebbling to sparse matrix factorization", SIAM J. Alg. Disc.
  Meth. 8(3), 1987.

Parallel branches that read one tensor: what makes the exact search fast on them.

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

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from unas.resources.liveness import Liveness


@dataclass(frozen=True, slots=True)
class MacroStep:
    """Operators that run in one go. Sets of macro-steps are bit masks of their indices.

    Attributes:
        operators: Positions in the graph, in execution order.
        before: Macro-steps whose output this one reads.
        after: Macro-steps that read its output.
        growth: Bytes needed while running, on top of what is live at the start.
        net: Change of the live bytes, but for ``reads``.
        valley: Lowest live bytes on the way, counted from the start and without both ends; None
            where there is nothing between them.
        reads: (readers, bytes) of each buffer that dies with the last of several readers.
    """

    operators: tuple[int, ...]
    before: int
    after: int
    growth: int
    net: int
    valley: int | None
    reads: tuple[tuple[int, int], ...]


def bits(mask: int) -> Iterator[int]:
    """Indices of the bits that are set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def sections(live: Liveness) -> list[list[int]]:
    """Operators in groups: each group runs as a whole before the next, in every order."""
    count = len(live.steps)
    everything = (1 << count) - 1
    earlier, later = [0] * count, [0] * count
    for i, step in enumerate(live.steps):
        earlier[i] = step.before
        for j in bits(step.before):
            earlier[i] |= earlier[j]
        for j in bits(earlier[i]):
            later[j] |= 1 << i
    groups: list[list[int]] = []
    open_group: list[int] = []
    for i in range(count):
        if earlier[i] | later[i] | 1 << i == everything:
            groups += [open_group, [i]] if open_group else [[i]]
            open_group = []
        else:
            open_group.append(i)
    return [*groups, open_group] if open_group else groups


def macro_steps(live: Liveness, section: Sequence[int]) -> list[MacroStep]:
    """A section as macro-steps, in an order in which they could run."""
    inside = sum(1 << i for i in section)
    steps: list[MacroStep] = []
    owner: dict[int, int] = {}
    for chain in _chains(live, section, inside):
        for step in _fold(live, chain):
            owner.update(dict.fromkeys(step.operators, len(steps)))
            steps.append(step)

    def owners(mask: int) -> int:
        return _union(1 << owner[i] for i in bits(mask & inside))

    steps = [
        replace(
            step,
            before=owners(live.steps[step.operators[0]].before),
            # What is read after the section, too, does not die in it.
            reads=tuple((owners(r), n) for r, n in step.reads if r < 1 << section[-1] + 1),
        )
        for step in steps
    ]
    return [
        replace(step, after=_union(1 << j for j, x in enumerate(steps) if x.before >> i & 1))
        for i, step in enumerate(steps)
    ]


def _union(masks: Iterator[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union


def _chains(live: Liveness, section: Sequence[int], inside: int) -> list[list[int]]:
    """Operators of a section in chains, each operator in one."""
    readers = dict.fromkeys(section, 0)
    for i in section:
        for j in bits(live.steps[i].before & inside):
            readers[j] += 1
    chains: list[list[int]] = []
    chain_of: dict[int, list[int]] = {}
    for i in section:
        step = live.steps[i]
        sources = list(bits(step.before & inside))
        alone = all(mask == 1 << i for mask, _ in step.reads)
        if len(sources) == 1 and readers[sources[0]] == 1 and alone:
            chain = chain_of[sources[0]]
        else:
            chain = []
            chains.append(chain)
        chain.append(i)
        chain_of[i] = chain
    return chains


def _fold(live: Liveness, chain: list[int]) -> list[MacroStep]:
    """A chain as macro-steps; ``before`` and ``after`` are left empty."""
    head = live.steps[chain[0]]
    # From behind the head, whose own effect depends on who else reads its inputs.
    level, peak = [0], [0]
    for i in chain[1:]:
        step = live.steps[i]
        peak.append(level[-1] + step.growth)
        level.append(level[-1] + step.kept - sum(size for _, size in step.reads))
    folded = [MacroStep((chain[0],), 0, 0, head.growth, head.kept, None, head.reads)]
    rests = _resting_places(level, peak)
    for start, end in itertools.pairwise(rests):
        base = level[start]
        folded.append(
            MacroStep(
                operators=tuple(chain[start + 1 : end + 1]),
                before=0,
                after=0,
                growth=max(peak[start + 1 : end + 1]) - base,
                net=level[end] - base,
                valley=min((x - base for x in level[start + 1 : end]), default=None),
                reads=(),
            )
        )
    return folded


def _resting_places(level: list[int], peak: list[int]) -> list[int]:
    """Places in a chain where an order may have to pause; the first and the last always are."""
    last = len(level) - 1
    rests = [
        i
        for i, here in enumerate(level)
        if i in (0, last) or here < min(level[:i]) or here < min(level[i + 1 :])
    ]
    k = 1
    while k < len(rests) - 1:
        before, here, after = rests[k - 1 : k + 2]
        reach, leave = max(peak[before + 1 : here + 1]), max(peak[here + 1 : after + 1])
        falling = level[before] >= level[here] >= level[after] and reach >= leave
        rising = level[before] <= level[here] <= level[after] and reach <= leave
        if falling or rising:
            del rests[k]
            k = max(k - 1, 1)
        else:
            k += 1
    return rests


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
    lowest = _lowest_bytes(steps, held)
    deferrable = sum(
        1 << i
        for i, step in enumerate(steps)
        if step.before and held[i] <= sum(lowest[j] for j in bits(step.before))
    )
    paths = _paths(steps)
    ruled: list[Variant] = []
    for first, step in enumerate(steps):
        if step.before:
            continue
        beside = sum(
            lowest[k] for j in paths[first] for k in bits(steps[j].before) if k not in paths[first]
        )
        ruled.append(
            Variant(
                steps=_starting_last(steps, first),
                gate=1 << first,
                deferrable=deferrable & ~sum(1 << i for i in paths[first]),
                paths=paths,
                # When it starts, the source is live and every other branch holds something.
                lower_bound=source_bytes + beside + step.growth,
            )
        )
    return sorted(ruled, key=lambda variant: variant.lower_bound)


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


def _lowest_bytes(steps: Sequence[MacroStep], held: Sequence[int]) -> list[int]:
    """The least that is live of the branches behind each step, once all of them have started."""
    lowest: list[int] = []
    for step, own in zip(steps, held, strict=True):
        behind = sum(lowest[j] for j in bits(step.before))
        lowest.append(min(own, behind) if step.before else own)
    return lowest


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
