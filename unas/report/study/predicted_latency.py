# SPDX-License-Identifier: Apache-2.0
"""Latencies predicted after the search, for networks that nobody asked for theirs.

A study with ``[latency] mode = "macs"`` knows none; its kept networks can still be compared with
those of other studies by what the board's calibration says of them. The word is *predicted*.

The latency of a record, with the word that says where it comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from unas.errors import StoreError
from unas.record import Prediction, Provenance, Record
from unas.store.calibration import calibration_folder, read_models
from unas.store.study_folder import StudyResults
from unas.tflite.reader import read_flatbuffer


def with_predicted_latency(
    study: StudyResults, records: Sequence[Record], results: Path
) -> tuple[Record, ...]:
    """The same records; kept networks without a latency get the predicted one in their figures.

    ``Record.values`` stay: they are what the search judged by.

    Args:
        study: Whose records these are.
        records: Some of them.
        results: Directory of results, where the calibration lies.
    """
    lacking = [r for r in records if latency_of(r) is None and study.flatbuffer(r) is not None]
    model = _latency_model(study, results) if lacking else None
    if model is None:
        return tuple(records)
    found = {record.index: _foreseen(study, record, model) for record in lacking}
    return tuple(found.get(record.index, record) for record in records)


def _latency_model(study: StudyResults, results: Path) -> Callable[[bytes], Prediction] | None:
    config = study.config
    folder = calibration_folder(Path(config.board.id).stem, results, config.board.runtime)
    try:
        model = read_models(folder).default
    except StoreError:  # no calibration: then there is nothing to foresee with
        return None

    def predict(data: bytes) -> Prediction:
        said = model.latency_us(read_flatbuffer(data, "a kept network"))
        return Prediction(said.value, said.lower, said.upper)

    return predict


def _foreseen(study: StudyResults, record: Record, model: Callable[[bytes], Prediction]) -> Record:
    data = study.flatbuffer(record)
    if data is None or record.figures is None:
        return record
    return replace(record, figures=replace(record.figures, latency_us=model(data)))


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
