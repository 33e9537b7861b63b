# SPDX-License-Identifier: Apache-2.0
"""What a network costs, as the x axis of a front: size, memory, MACs, latency.

A study with ``[latency] mode = "macs"`` knows no latency. Its kept networks can still be compared
with those of other studies by what the board's calibration predicts for them afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from unas.config import StudyConfig
from unas.errors import StoreError
from unas.record import Outcome, Prediction, Provenance, Record
from unas.record.latency import latency_of, provenances_text
from unas.store.calibration import calibration_folder, read_models
from unas.store.study_folder import StudyResults
from unas.tflite.reader import read_flatbuffer


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

    def scaled(self, record: Record) -> float | None:
        """The value of a record in the axis' unit; None where it is not known."""
        value = self.value(record)
        return None if value is None else value / self.scale

    def bound(self, config: StudyConfig) -> float | None:
        """The search's bound in the axis' unit, if it had one."""
        bound = config.judged.bounds().get(self.name)
        return None if bound is None else bound / self.scale

    def title(self, records: Sequence[Record]) -> str:
        """Label with unit and provenance."""
        if self.name != "latency_us":
            return f"{self.label}, {Provenance.PREDICTED})"
        provenances = provenances_text(complete(records))
        return f"{self.label}, {provenances.replace(', predicted', '; hollow: predicted')})"


def _bounded(name: str) -> Callable[[Record], float | None]:
    return lambda record: record.values.get(name)


def _latency_us(record: Record) -> float | None:
    latency = latency_of(record)
    return None if latency is None else latency.value_us


AXES = (
    CostAxis("model_size_bytes", "model size (KB", 1e3, _bounded("model_size_bytes")),
    CostAxis("peak_memory_bytes", "peak memory (KB", 1e3, _bounded("peak_memory_bytes")),
    CostAxis("macs", "MACs (thousands", 1e3, _bounded("macs")),
    CostAxis("latency_us", "latency (ms", 1e3, _latency_us),
)
LATENCY = AXES[-1]


def axes_of(records: Sequence[Record]) -> tuple[CostAxis, ...]:
    """Size, memory, and latency; MACs stand for the latency where no record knows one."""
    size, memory, macs, latency = AXES
    timed = any(latency_of(record) is not None for record in complete(records))
    return size, memory, latency if timed else macs


def is_predicted(axis: CostAxis, record: Record) -> bool:
    """Whether a figure must tell this latency apart from one of a board."""
    latency = latency_of(record)
    return axis is LATENCY and latency is not None and latency.provenance is Provenance.PREDICTED


def complete(records: Sequence[Record]) -> list[Record]:
    """Records of networks that were trained to the end."""
    return [record for record in records if record.outcome is Outcome.COMPLETE]


def with_predicted_latency(
    study: StudyResults, records: Sequence[Record], results: Path
) -> tuple[Record, ...]:
    """The same records; kept networks without a latency get a predicted one in their figures.

    ``Record.values`` stay: they are what the search judged by.

    Args:
        study: Whose records these are.
        records: Some of them.
        results: Directory of results, where the calibration lies.
    """
    lacking = [r for r in records if latency_of(r) is None and study.flatbuffer(r) is not None]
    predict = _latency_predictor(study, results) if lacking else None
    if predict is None:
        return tuple(records)
    predicted = {record.index: _with_latency(study, record, predict) for record in lacking}
    return tuple(predicted.get(record.index, record) for record in records)


def _latency_predictor(study: StudyResults, results: Path) -> Callable[[bytes], Prediction] | None:
    config = study.config
    folder = calibration_folder(Path(config.board.id).stem, results, config.board.runtime)
    try:
        model = read_models(folder).default
    except StoreError:  # no calibration: then there is nothing to predict with
        return None
    return lambda data: model.latency_us(read_flatbuffer(data, "a kept network"))


def _with_latency(
    study: StudyResults, record: Record, predict: Callable[[bytes], Prediction]
) -> Record:
    data = study.flatbuffer(record)
    if data is None or record.figures is None:
        return record
    return replace(record, figures=replace(record.figures, latency_us=predict(data)))
