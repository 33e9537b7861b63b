# SPDX-License-Identifier: Apache-2.0
"""The latency of a record: what the board measured, else what a model predicted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from unas.record.measurement import Provenance
from unas.record.study import Record


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
