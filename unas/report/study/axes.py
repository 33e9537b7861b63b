# SPDX-License-Identifier: Apache-2.0
"""What fronts are drawn over: a quantity, its unit, its bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unas.config import StudyConfig
from unas.record import Outcome, Provenance, Record
from unas.report.study.latency import latency_of, provenances


@dataclass(frozen=True, slots=True)
class CostAxis:
    """One quantity that a network costs.

    Attributes:
        name: As in ``Constraints``.
        label: For the axis, without provenance.
        scale: What one unit on the axis is, in the quantity's own unit.
        value: Of a record; None where it is not known.
    """

    name: str
    label: str
    scale: float
    value: Callable[[Record], float | None]

    def shown(self, record: Record) -> float | None:
        """In the axis' unit."""
        found = self.value(record)
        return None if found is None else found / self.scale

    def bound(self, config: StudyConfig) -> float | None:
        """The search's bound in the axis' unit, if it had one."""
        bound = config.judged.bounds().get(self.name)
        return None if bound is None else bound / self.scale

    def words(self, records: Sequence[Record]) -> str:
        """Label with unit and provenance."""
        if self.name != "latency_us":
            return f"{self.label}, {Provenance.PREDICTED})"
        origin = provenances(complete(records))
        return f"{self.label}, {origin.replace(', predicted', '; hollow: predicted')})"


def _judged(name: str) -> Callable[[Record], float | None]:
    return lambda record: record.values.get(name)


def _latency_us(record: Record) -> float | None:
    timed = latency_of(record)
    return None if timed is None else timed.value_us


AXES = (
    CostAxis("model_size_bytes", "model size (KB", 1e3, _judged("model_size_bytes")),
    CostAxis("peak_memory_bytes", "peak memory (KB", 1e3, _judged("peak_memory_bytes")),
    CostAxis("macs", "MACs (thousands", 1e3, _judged("macs")),
    CostAxis("latency_us", "latency (ms", 1e3, _latency_us),
)
LATENCY = AXES[-1]


def axes_of(records: Sequence[Record]) -> tuple[CostAxis, ...]:
    """Size, memory, and latency; MACs stand for the latency where no record knows one."""
    size, memory, macs, latency = AXES
    timed = any(latency_of(record) is not None for record in complete(records))
    return size, memory, latency if timed else macs


def is_predicted(axis: CostAxis, record: Record) -> bool:
    """Whether a figure must tell this latency apart from one that a board said."""
    timed = latency_of(record)
    return axis is LATENCY and timed is not None and timed.provenance is Provenance.PREDICTED


def complete(records: Sequence[Record]) -> list[Record]:
    """Records of networks that were trained to the end."""
    return [record for record in records if record.outcome is Outcome.COMPLETE]
