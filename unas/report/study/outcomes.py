# SPDX-License-Identifier: Apache-2.0
"""Where evaluation ended, what failed, and what compute time a study took.

A record's own seconds are no compute time: with several workers a candidate waits for a free one,
and for the board. So a training counts as long as its process says, and the board by its events.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from unas.record import Outcome, Record, Stage
from unas.record.wording import quantity_name, quantity_text
from unas.store.measurements import read_findings
from unas.store.study_folder import MEASUREMENTS, StudyResults

FINAL_TRAININGS = "final trainings"


def compute_seconds(study: StudyResults) -> dict[str, float]:
    """Seconds of work by stage, added over all candidates and workers; the longest first.

    Args:
        study: Its measurements are read, too.

    Raises:
        StoreError: A line of them is damaged.
    """
    on_board = _board_seconds(study)
    spent: dict[str, float] = defaultdict(float)
    for record in study.records:
        for stage, waited in record.seconds.items():
            busy = waited
            if stage == Stage.TRAINING and record.training is not None:
                busy = record.training.seconds
            elif stage == Stage.BOARD:
                # What came from the store of measurements cost less than its events once did.
                busy = min(waited, on_board.get(record.index) or waited)
            spent[stage] += busy
    final = sum(final.training.seconds for final in study.finals)
    if final:
        spent[FINAL_TRAININGS] = final
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def _board_seconds(study: StudyResults) -> Mapping[int, float]:
    """Seconds of the board's events by the record's index; final trainings do not count."""
    seconds: dict[int, float] = defaultdict(float)
    for finding in read_findings(study.folder / MEASUREMENTS):
        if finding.seed is None:
            seconds[finding.index] += sum(event.seconds for event in finding.measurement.events)
    return seconds


def stage_counts(records: Iterable[Record]) -> list[tuple[str, str, int]]:
    """(stage, outcome, records) where evaluation ended, in the order of the stages."""
    counts = Counter((record.stage, record.outcome) for record in records)
    return [
        (str(stage), str(outcome), counts[stage, outcome])
        for stage in Stage
        for outcome in Outcome
        if counts[stage, outcome]
    ]


def cause_counts(records: Iterable[Record]) -> list[tuple[str, str, str, int, str]]:
    """(outcome, stage, cause, how often, ids of some) of what failed or was ended early."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for record in records:
        if record.outcome in (Outcome.FAILED, Outcome.STOPPED_EARLY):
            key = (str(record.outcome), str(record.stage), record.cause or "not recorded")
            groups.setdefault(key, []).append(record.candidate.short_id)
    return [
        (*key, len(ids), ", ".join(ids[:3]) + (" …" if len(ids) > 3 else ""))
        for key, ids in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]


def violation_counts(study: StudyResults) -> list[tuple[str, str, int, int]]:
    """(quantity, bound, violated before training, violated by trained networks)."""
    before, after = Counter[str](), Counter[str]()
    for record in study.records:
        counter = before if record.outcome is Outcome.INFEASIBLE else after
        counter.update(record.violations.keys())
    return [
        (quantity_name(name), quantity_text(name, bound), before[name], after[name])
        for name, bound in study.config.judged.bounds().items()
    ]
