# SPDX-License-Identifier: Apache-2.0
"""The progress of a search, from its records."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from unas.constraints import Constraints
from unas.record import Outcome, Record
from unas.strategies.pareto import hypervolume, quantity


def covered_share(
    records: Sequence[Record], constraints: Constraints, *, reach: float = 2.0
) -> float:
    """Hypervolume in units of the bounds: 0 at the start, 1 never quite.

    Each bounded quantity is divided by its bound; the reference point is ``reach`` on every axis,
    and the volume is given as a share of the whole cube's, ``reach ** axes``. Violations up to
    ``reach`` times a bound count, less than what keeps it.

    Args:
        records: Everything seen; only COMPLETE ones that know every bounded quantity count.
        constraints: The bounds.
        reach: Where the cube ends.
    """
    bounds = constraints.bounds()
    points = [
        [record.values[name] / bound for name, bound in bounds.items()]
        for record in records
        if record.outcome is Outcome.COMPLETE and bounds.keys() <= record.values.keys()
    ]
    rows = np.array(points, dtype=np.float64).reshape(-1, len(bounds))
    return hypervolume(rows, [reach] * len(bounds)) / reach ** len(bounds)


def best_feasible(records: Sequence[Record], name: str, constraints: Constraints) -> Record | None:
    """The feasible record with the smallest value of a quantity.

    Of equal ones it is the one with the smallest sum of the bounded quantities, each in units of
    its bound, so that none dominates it; then the earliest.

    Args:
        records: Everything seen.
        name: Of the quantity, see ``unas.strategies.pareto.quantity``.
        constraints: The bounds.

    Raises:
        ConfigError: No such quantity.
    """
    bounds = constraints.bounds()

    def cost(record: Record) -> float:
        return sum(record.values.get(key, math.inf) / bound for key, bound in bounds.items())

    known = [(quantity(record, name), record) for record in records if record.feasible]
    ranked = [(value, cost(r), r.index, r) for value, r in known if value is not None]
    return min(ranked, key=lambda entry: entry[:3])[3] if ranked else None


def count_outcomes(records: Sequence[Record]) -> dict[Outcome, int]:
    """Records by outcome, every outcome named."""
    return {outcome: sum(r.outcome is outcome for r in records) for outcome in Outcome}


def training_of(record: Record) -> tuple[str, int] | None:
    """The name of a record's training, genes and seed; None where there was none.

    A candidate that is proposed a second time is not trained again: its record repeats the training
    of the first one. Two records with equal names were trained once.
    """
    training = record.training
    return None if training is None else (record.candidate.sha256, training.seed)


def trainings(records: Sequence[Record]) -> int:
    """How many trainings there were, to the end or not: what ``search.trainings`` limits."""
    return len({training_of(record) for record in records} - {None})
