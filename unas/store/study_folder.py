# SPDX-License-Identifier: Apache-2.0
"""``results/<study>/``: what a study left behind, to be read by reports and exports."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unas._codec import shown
from unas._text import read_json_file
from unas.config import StudyConfig
from unas.config.load import load_study
from unas.errors import ConfigError, StoreError
from unas.record import FinalTraining, Outcome, Record
from unas.store.journal import read_journal
from unas.strategies.pareto import pareto_front

if TYPE_CHECKING:
    import pandas as pd

JOURNAL, ENVIRONMENT, NETWORKS = "journal.jsonl", "environment.json", "networks"
STUDY, MEASUREMENTS = "study.toml", "measurements.jsonl"
KERAS_FILE, TFLITE_FILE, SAMPLE_FILE = "model.keras", "model.tflite", "sample.json"


@dataclass(frozen=True, slots=True)
class StudyResults:
    """A study's results folder.

    Attributes:
        folder: Where they lie.
        config: The study, without places of the machine that ran it.
        records: Every judged candidate, in the journal's order.
        finals: Networks of the front that were trained again with other seeds.
        environment: What it was made with; empty where nothing was written yet.
    """

    folder: Path
    config: StudyConfig
    records: tuple[Record, ...]
    finals: tuple[FinalTraining, ...]
    environment: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Of the folder: two searches of one study file are two studies."""
        return self.folder.name

    def network_folder(self, record: Record) -> Path:
        """Where the files of a network would be kept; those of the front are."""
        return self.folder / NETWORKS / record.candidate.short_id

    def flatbuffer(self, record: Record) -> bytes | None:
        """The trained .tflite file of a record; None where it was not kept."""
        path = self.network_folder(record) / TFLITE_FILE
        return path.read_bytes() if path.is_file() else None

    @property
    def front(self) -> tuple[Record, ...]:
        """The records that no other one dominates in all bounded quantities, by their error."""
        return tuple(pareto_front(self.records, tuple(self.config.judged.bounds())))

    @property
    def feasible(self) -> tuple[Record, ...]:
        """The records of the front that violate no constraint."""
        return tuple(record for record in self.front if record.feasible)

    def to_dict(self) -> dict[str, Any]:
        """The study, its records and final trainings as JSON types."""
        return {
            "study": self.config.to_dict(),
            "records": [record.to_json_dict() for record in self.records],
            "finals": [final.to_json_dict() for final in self.finals],
        }

    def to_frame(self) -> pd.DataFrame:
        """A row a record: network, outcome, stage, whether it is feasible, and its quantities."""
        import pandas as pd

        return pd.DataFrame(
            {
                "network": record.candidate.short_id,
                "index": record.index,
                "outcome": str(record.outcome),
                "stage": str(record.stage),
                "feasible": record.feasible,
                **record.values,
            }
            for record in self.records
        )

    def finals_of(self, record: Record) -> tuple[FinalTraining, ...]:
        """The final trainings of a record's candidate."""
        wanted = record.candidate.sha256
        return tuple(final for final in self.finals if final.candidate_sha256 == wanted)

    def final_test_errors(self, record: Record) -> tuple[float, ...]:
        """Test errors of a record's final trainings, 0..1; those that diverged have none."""
        errors = (final.training.test_error for final in self.finals_of(record))
        return tuple(error for error in errors if error is not None)

    def find(self, prefix: str) -> Record:
        """The record of the candidate whose digest begins so; the last COMPLETE one of several.

        Raises:
            StoreError: There is none, or there are several candidates.
        """
        result = [r for r in self.records if r.candidate.sha256.startswith(prefix.lower())]
        if not prefix or not result:
            raise StoreError(
                f"no candidate {prefix!r} in {self.folder}; 'unas-hil report' lists the front's"
            )
        if len({record.candidate.sha256 for record in result}) > 1:
            raise StoreError(f"several candidates begin with {prefix!r}; give more digits")
        complete = [record for record in result if record.outcome is Outcome.COMPLETE]
        return (complete or result)[-1]


def study_folder(study: str, results: Path) -> Path:
    """The folder that a user's word means: a folder itself, or a name below ``results``.

    Raises:
        StoreError: There is no journal; names the near ones.
    """
    for folder in (Path(study), results / study):
        if (folder / JOURNAL).is_file():
            return folder
    folders = sorted(path.parent.relative_to(results) for path in results.rglob(JOURNAL))
    known = {folder.name: folder.as_posix() for folder in reversed(folders)}
    close = difflib.get_close_matches(Path(study).name, known, n=2)
    near = [known[name] for name in close] or list(reversed(known.values()))[:5]
    hint = f"there is {', '.join(near)}" if near else "make one with: unas-hil search STUDY.toml"
    raise StoreError(
        f"no study {study!r}: neither it nor {results / study} holds a journal; {hint}"
    )


def read_study(study: str, results: Path) -> StudyResults:
    """All of a study, also of one that is still running.

    Args:
        study: A results folder, or its name.
        results: Directory of results, for names.

    Raises:
        StoreError: There is none, or it is damaged.
    """
    folder = study_folder(study, results).resolve()
    content = read_journal(folder / JOURNAL)
    return StudyResults(
        folder,
        _as_it_went_on(folder, content.study),
        content.records,
        content.finals,
        _environment(folder),
    )


def _as_it_went_on(folder: Path, begun: StudyConfig) -> StudyConfig:
    """The study as it was last run: what changes no record, its end say, may change on resume."""
    try:
        latest = load_study(folder / STUDY).portable
    except ConfigError:
        return begun
    return latest if latest.digest == begun.digest else begun


def _environment(folder: Path) -> Mapping[str, Any]:
    path = folder / ENVIRONMENT
    if not path.is_file():
        return {}
    data = read_json_file(path, "restore or delete it")
    if not isinstance(data, dict):
        raise StoreError(f"{path} is {shown(data)}, no JSON object; restore or delete it")
    return data
