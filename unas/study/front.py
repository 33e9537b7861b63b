# SPDX-License-Identifier: Apache-2.0
"""Trained networks on the Pareto front are kept, a folder each; the others are not."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from unas.config import StudyConfig
from unas.record import Outcome, Record
from unas.strategies.pareto import pareto_front
from unas.study.requests import TrainingOutput

_STAGING = ".new"


def front_of(
    records: Iterable[Record], study: StudyConfig, *, feasible_only: bool = False
) -> list[Record]:
    """The records that no other one dominates in all bounded quantities, by their error.

    Args:
        records: Of the study.
        study: Names the bounded quantities.
        feasible_only: Whether a record must also be feasible. The feasible ones are a part of the
            whole front: what dominates a feasible network is feasible too.
    """
    return pareto_front(records, tuple(study.judged.bounds()), feasible_only=feasible_only)


class Front:
    """The Pareto front while the study runs, and the folders of its networks."""

    def __init__(self, study: StudyConfig, folder: Path) -> None:
        """An empty front.

        Args:
            study: Names the bounded quantities.
            folder: Where networks are kept.
        """
        self._study, self._folder = study, folder
        self._objectives = tuple(study.judged.bounds())
        self._records: list[Record] = []

    @property
    def records(self) -> tuple[Record, ...]:
        """On the front, by their error."""
        return tuple(self._records)

    @property
    def staging_dir(self) -> Path:
        """Where trained networks are written before it is known whether they stay."""
        return self._folder / _STAGING

    def enters(self, values: Mapping[str, float]) -> bool:
        """Whether a trained network with these values would be on the front of the feasible."""
        known = all(name in values for name in self._objectives)
        if not known or not self._study.judged.feasible(values):
            return False
        return not any(
            all(record.values[name] <= values[name] for name in self._objectives)
            and any(record.values[name] < values[name] for name in self._objectives)
            for record in self._records
        )

    def add(self, record: Record, output: TrainingOutput | None = None) -> None:
        """Take a record in; others may leave the front.

        Args:
            record: The record.
            output: Its trained network, which is kept if the record is on the front and deleted if
                it is not; None where there is none, or it has been kept before.
        """
        if record.outcome is Outcome.COMPLETE:
            self._records = front_of([*self._records, record], self._study)
        if output is None or output.model is None:
            return
        staged = Path(output.model).parent
        if any(record is other for other in self._records):
            place = self._folder / record.candidate.short_id
            shutil.rmtree(place, ignore_errors=True)
            staged.replace(place)
        else:
            shutil.rmtree(staged, ignore_errors=True)

    def sweep(self, *, staged: bool = False) -> None:
        """Delete networks that are not on the front (any more).

        Args:
            staged: Also those that a killed run trained and never committed.
        """
        kept = {record.candidate.short_id for record in self._records}
        if not staged:
            kept.add(_STAGING)
        for place in self._folder.iterdir() if self._folder.is_dir() else ():
            if place.is_dir() and place.name not in kept:
                shutil.rmtree(place, ignore_errors=True)
