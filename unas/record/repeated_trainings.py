# SPDX-License-Identifier: Apache-2.0
"""Statistics over the final trainings of one network: one lucky training decides nothing."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from unas.constraints import Constraints
from unas.record.study import FinalTraining


@dataclass(frozen=True, slots=True)
class MeanStd:
    """Mean and spread of some numbers, in their own unit.

    Attributes:
        n: How many numbers.
        mean: Their mean.
        std: Their sample standard deviation (n - 1); 0 of a single number.
        min: The smallest.
        max: The largest.
    """

    n: int
    mean: float
    std: float
    min: float
    max: float


def mean_std(values: Sequence[float]) -> MeanStd:
    """Mean and sample standard deviation of at least one value."""
    std = statistics.stdev(values) if len(values) > 1 else 0.0
    return MeanStd(len(values), statistics.fmean(values), std, min(values), max(values))


def final_errors(finals: Sequence[FinalTraining], *, test: bool = True) -> MeanStd | None:
    """The int8 error over the final trainings of a network, 0 to 1; a diverged one has none.

    Args:
        finals: Of one network.
        test: On the test split; otherwise on the validation split.

    Returns:
        None where the network was not trained again, or every training diverged.
    """
    trained = [final.training for final in finals]
    errors = [one.test_error if test else one.val_error for one in trained]
    known = [error for error in errors if error is not None]
    return mean_std(known) if known else None


def feasible_count(finals: Sequence[FinalTraining], bounds: Constraints) -> int:
    """How many of these trainings gave a network that violates no bound."""
    return sum(not (final.diverged or bounds.violations(final.values)) for final in finals)


def value_ranges(finals: Sequence[FinalTraining]) -> dict[str, tuple[float, float]]:
    """(min, max) of each bounded quantity over the trainings that did not diverge.

    Pruning removes other channels with other seeds, so sizes differ as well as errors.
    """
    values = [final.values for final in finals if not final.diverged]
    names = dict.fromkeys(name for one in values for name in one)
    known = {name: [one[name] for one in values if name in one] for name in names}
    return {name: (min(some), max(some)) for name, some in known.items()}
