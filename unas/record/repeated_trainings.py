# SPDX-License-Identifier: Apache-2.0
"""One network trained several times: what is said of all of these trainings."""

from __future__ import annotations

from collections.abc import Sequence

from unas.constraints import Constraints
from unas.record.study import FinalTraining


def seed_count_text(finals: Sequence[FinalTraining]) -> str:
    """How many trainings a mean is over: ``"3"``, or ``"2 of 3, 1 diverged"``."""
    gone = sum(final.diverged for final in finals)
    told = f"{len(finals) - gone} of {len(finals)}, {gone} diverged"
    return told if gone else str(len(finals))


def feasible_count_text(finals: Sequence[FinalTraining], bounds: Constraints) -> str:
    """How many of these trainings gave a network that keeps every bound: ``"1 of 3"``."""
    kept = sum(not (final.diverged or bounds.violations(final.values)) for final in finals)
    return f"{kept} of {len(finals)}"


def value_ranges(finals: Sequence[FinalTraining]) -> dict[str, tuple[float, float]]:
    """Least and most of each judged quantity over those that did not diverge.

    Pruning takes other channels with other seeds, so not only errors differ.
    """
    values = [final.values for final in finals if not final.diverged]
    names = dict.fromkeys(name for one in values for name in one)
    known = {name: [one[name] for one in values if name in one] for name in names}
    return {name: (min(some), max(some)) for name, some in known.items()}
