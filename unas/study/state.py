# SPDX-License-Identifier: Apache-2.0
"""What a study stores, and what follows from it: the front, and the refitted latency model."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from unas.config import LatencyMode, StudyConfig
from unas.record import FinalTraining, Record
from unas.store.journal import Journal
from unas.store.measurements import LoggedMeasurement, MeasurementLog
from unas.store.study_folder import JOURNAL, MEASUREMENTS, NETWORKS, StudyResults
from unas.study.evaluation import Evaluated
from unas.study.front import Front
from unas.study.predictor import Calibrated, Predictor
from unas.study.results_folder import write_description


@dataclass(slots=True)
class StudyState:
    """Everything that outlives a run; a context manager that closes the journal.

    Attributes:
        study: What is searched.
        folder: Of the results.
        environment: As it is in the folder.
        journal: Records and final trainings.
        findings: Whole measurements.
        front: The networks that are kept.
        predictor: Learns from measurements; None without a calibration.
        records: In the journal's order.
        finals: Final trainings, in the journal's order.
    """

    study: StudyConfig
    folder: Path
    environment: Mapping[str, Any]
    journal: Journal
    findings: MeasurementLog
    front: Front
    predictor: Predictor | None
    records: list[Record] = field(default_factory=list)
    finals: list[FinalTraining] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        study: StudyConfig,
        folder: Path,
        environment: Mapping[str, Any],
        calibrated: Calibrated | None,
        *,
        resume: bool,
    ) -> StudyState:
        """Begin a results folder, or restore what an earlier run left in it.

        Args:
            study: What is searched.
            folder: Of the results.
            environment: From ``unas.study.results_folder.describe_study``.
            calibrated: Models of the board; None where there are none.
            resume: Whether an existing journal goes on.

        Raises:
            StoreError: The journal is another study's, in use, or damaged; or the disk refuses.
        """
        journal = Journal(folder / JOURNAL, study, resume=resume)
        try:
            goes_on = bool(journal.content.records)
            environment = write_description(folder, study, environment, goes_on=goes_on)
            learns = calibrated is not None and study.latency.mode is not LatencyMode.MACS
            state = cls(
                study,
                folder,
                environment,
                journal,
                MeasurementLog(folder / MEASUREMENTS, journal.content),
                Front(study, folder / NETWORKS),
                Predictor(calibrated, seed=study.search.seed) if calibrated and learns else None,
            )
            state.restore()
        except BaseException:
            journal.close()
            raise
        return state

    def restore(self) -> None:
        """Take in what an earlier run stored, in its order."""
        content = self.journal.content
        searched: dict[int, list[LoggedMeasurement]] = {}
        for finding in self.findings.findings:
            if finding.seed is None:
                searched.setdefault(finding.index, []).append(finding)
        for record in content.records:
            self.records.append(record)
            self.front.add(record)
            self._learn(searched.get(record.index, ()))
        self.finals.extend(content.finals)
        self.front.sweep(staged=True)

    def commit(self, evaluated: Evaluated[Record]) -> None:
        """Store a record, after the measurements and the network that belong to it.

        Raises:
            StoreError: The disk refuses.
        """
        record = evaluated.entry
        self.front.add(record, evaluated.output)
        self.findings.append(evaluated.findings)
        self.journal.append(record)
        self.records.append(record)
        self.front.sweep()
        self._learn(evaluated.findings)

    def commit_final(self, evaluated: Evaluated[FinalTraining]) -> None:
        """Store a final training; its network is not kept.

        Raises:
            StoreError: The disk refuses.
        """
        self.findings.append(evaluated.findings)
        self.journal.append(evaluated.entry)
        self.finals.append(evaluated.entry)
        if evaluated.output is not None and evaluated.output.model is not None:
            shutil.rmtree(Path(evaluated.output.model).parent, ignore_errors=True)

    def results(self) -> StudyResults:
        """What is stored, as ``unas.store.study_folder.read_study`` would read it."""
        return StudyResults(
            self.folder.resolve(),
            self.study.portable,
            tuple(self.records),
            tuple(self.finals),
            self.environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.journal.close()

    def _learn(self, findings: Iterable[LoggedMeasurement]) -> None:
        for finding in findings:
            if self.predictor is not None and finding.sample is not None:
                self.predictor.learn(finding.sample)
