# SPDX-License-Identifier: Apache-2.0
"""The latency of a record, with the word that says where it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from unas.record import Provenance, Record


@dataclass(frozen=True, slots=True)
class Timed:
    """One latency of one network, in microseconds; an interval where it is predicted."""

    value_us: float
    provenance: Provenance
    lower_us: float | None = None
    upper_us: float | None = None


def latency_of(record: Record) -> Timed | None:
    """What the board said; where it was not asked, what was predicted; None without either."""
    if record.measurement is not None:
        return Timed(record.measurement.latency_us, record.measurement.provenance)
    return predicted_of(record)


def predicted_of(record: Record) -> Timed | None:
    """What was predicted, whatever else is known."""
    if record.figures is None or record.figures.latency_us is None:
        return None
    found = record.figures.latency_us
    return Timed(found.value, Provenance.PREDICTED, found.lower, found.upper)


def provenances(records: Iterable[Record]) -> str:
    """The words for an axis with the latencies of these records: ``"emulated, predicted"``."""
    found = {timed.provenance for timed in map(latency_of, records) if timed is not None}
    order = (Provenance.MEASURED, Provenance.EMULATED, Provenance.PREDICTED)
    return ", ".join(str(word) for word in order if word in found)
