# SPDX-License-Identifier: Apache-2.0
"""The latency of a record with its provenance, and statistics over repeated trainings."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unas.constraints import Constraints
from unas.record.measurement import Provenance
from unas.record.study import FinalTraining, Record


@dataclass(frozen=True, slots=True)
class Latency:
    """Latency of one network.

    Attributes:
        value_us: Microseconds of one inference.
        provenance: Where the number comes from.
        lower_us: Lower end of the interval; None unless it is predicted.
        upper_us: Upper end of the interval; None unless it is predicted.
    """

    value_us: float
    provenance: Provenance
    lower_us: float | None = None
    upper_us: float | None = None


def latency_of(record: Record) -> Latency | None:
    """The board's latency; the predicted one where no board was asked; None without either."""
    if record.measurement is not None:
        return Latency(record.measurement.latency_us, record.measurement.provenance)
    return predicted_latency_of(record)


def predicted_latency_of(record: Record) -> Latency | None:
    """The predicted latency, also of a network that a board timed later; None without one."""
    if record.figures is None or record.figures.latency_us is None:
        return None
    predicted = record.figures.latency_us
    return Latency(predicted.value, Provenance.PREDICTED, predicted.lower, predicted.upper)


def latency_provenance(record: Record) -> Provenance:
    """Where the latency comes from that a record was judged by."""
    measurement = record.measurement
    return Provenance.PREDICTED if measurement is None else measurement.provenance


def provenances_text(records: Iterable[Record]) -> str:
    """The provenances of the latencies of some records: ``"emulated, predicted"``."""
    known = {latency.provenance for latency in map(latency_of, records) if latency is not None}
    order = (Provenance.MEASURED, Provenance.EMULATED, Provenance.PREDICTED)
    return ", ".join(str(provenance) for provenance in order if provenance in known)


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
