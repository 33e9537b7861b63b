# SPDX-License-Identifier: Apache-2.0
"""What a device does with an order of placing, written down anew: an oracle for arena plans."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

Groups = Mapping[int, Mapping[int, int]]


def first_fit_offsets(groups: Groups, order: Sequence[int]) -> dict[int, int]:
    """The lowest free offset of each group, placed one after the other."""
    offsets: dict[int, int] = {}
    for index in order:
        at = 0
        while ends := [
            offsets[other] + groups[other][step]
            for other in offsets
            for step, height in groups[index].items()
            if step in groups[other]
            and offsets[other] < at + height
            and at < offsets[other] + groups[other][step]
        ]:
            at = min(ends)
        offsets[index] = at
    return offsets


def plan_bytes(groups: Groups, offsets: Mapping[int, int]) -> int:
    """Where the highest group ends."""
    return max(offsets[index] + max(heights.values()) for index, heights in groups.items())


def first_fit_bytes(groups: Groups, order: Sequence[int]) -> int:
    """Bytes of the plan that an order gives."""
    return plan_bytes(groups, first_fit_offsets(groups, order))


def least_bytes(groups: Groups) -> int:
    """Bytes of an optimal plan, by trying every order there is."""
    return min(first_fit_bytes(groups, order) for order in itertools.permutations(groups))
