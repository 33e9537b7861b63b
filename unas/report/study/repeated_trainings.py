# SPDX-License-Identifier: Apache-2.0
"""Mean and spread over the seeds of the final trainings: one lucky run is no winner."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from unas.record import Record
from unas.store.study_folder import StudyResults


@dataclass(frozen=True, slots=True)
class MeanStd:
    """Of some numbers: how many, mean, sample standard deviation (0 of one), least and most."""

    n: int
    mean: float
    deviation: float
    least: float
    most: float


def mean_std(values: Sequence[float]) -> MeanStd:
    """Of at least one value."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return MeanStd(len(values), statistics.fmean(values), deviation, min(values), max(values))


def final_errors(study: StudyResults, record: Record, *, test: bool = True) -> MeanStd | None:
    """int8 error over the final seeds of a network, 0 to 1; those that diverged have none.

    None where it was not trained again, or all diverged.

    Args:
        study: With its final trainings.
        record: Of the network.
        test: On the test split; otherwise on the validation split.
    """
    trained = [final.training for final in study.finals_of(record)]
    errors = [one.test_error if test else one.val_error for one in trained]
    known = [error for error in errors if error is not None]
    return mean_std(known) if known else None
