# SPDX-License-Identifier: Apache-2.0
"""What a study writes, and what follows from it: the front, and what the board has taught."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from unas.artifact import Flatbuffer
from unas.cost.types import Sample
from unas.record import FinalTraining, Measurement, Record
from unas.store.journal import Journal
from unas.store.measurements import LoggedMeasurement, MeasurementLog
from unas.study.front import Front
from unas.study.predictor import Predictor
from unas.study.requests import TrainingAnswer
from unas.study.scheduler import Job
from unas.tflite.reader import read_flatbuffer


@dataclass(slots=True)
class StudyState:
    """All that outlives a run.

    Attributes:
        journal: Records and final trainings.
        findings: Whole measurements.
        front: The networks that are kept.
        predictor: Learns from measurements; None without a calibration.
        records: In the journal's order.
        finals: Likewise.
    """

    journal: Journal
    findings: MeasurementLog
    front: Front
    predictor: Predictor | None
    records: list[Record] = field(default_factory=list)
    finals: list[FinalTraining] = field(default_factory=list)

    def recall(self) -> None:
        """Take in what an earlier run had found, in its order."""
        content = self.journal.content
        by_index: dict[int, list[LoggedMeasurement]] = {}
        for found in self.findings.findings:
            by_index.setdefault(found.index, []).append(found)
        for record in content.records:
            self.records.append(record)
            self.front.tell(record)
            self._learn(found for found in by_index.get(record.index, ()) if found.seed is None)
        self.finals.extend(content.finals)
        self.front.sweep(fresh=True)

    def keep(self, record: Record, case: Job[Record]) -> None:
        """Write a record, after the network and the measurements that belong to it.

        Raises:
            StoreError: The disk refuses.
        """
        found = self._findings(case)
        self.findings.append(found)
        self.front.tell(record)
        if case.trained is not None:
            self.front.keep(record, case.trained)
        self.journal.append(record)
        self.records.append(record)
        self.front.sweep()
        self._learn(found)

    def keep_final(self, final: FinalTraining, case: Job[FinalTraining]) -> None:
        """Write a final training.

        Raises:
            StoreError: The disk refuses.
        """
        self.findings.append(self._findings(case))
        self.journal.append(final)
        self.finals.append(final)
        discard(case.trained)

    def _findings(self, case: Job[Record] | Job[FinalTraining]) -> list[LoggedMeasurement]:
        seed = case.trained.result.seed if case.again and case.trained else None
        return [
            LoggedMeasurement(case.index, seed, measurement, self._sample(model, measurement))
            for model, measurement in case.measured
        ]

    def _sample(self, model: Flatbuffer, measurement: Measurement) -> Sample | None:
        if self.predictor is None:
            return None
        return self.predictor.sample_of(read_flatbuffer(model.data, model.name), measurement)

    def _learn(self, findings: Iterable[LoggedMeasurement]) -> None:
        for found in findings:
            if self.predictor is not None and found.sample is not None:
                self.predictor.learn(found.sample)


def discard(answer: TrainingAnswer | None) -> None:
    """Delete a trained network that is not to be kept."""
    if answer is not None and answer.model is not None:
        shutil.rmtree(Path(answer.model).parent, ignore_errors=True)
