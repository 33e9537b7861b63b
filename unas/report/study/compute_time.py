# SPDX-License-Identifier: Apache-2.0
"""What a study kept its host busy with. A record's own seconds are no answer: they wait in queues.

With several workers a candidate waits for a free one, and for the board; these seconds are none of
work. So a training counts as long as its process says, and the board by its acts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from unas.record import Stage
from unas.store.measurements import read_findings
from unas.store.study_folder import MEASUREMENTS, StudyResults

AGAIN = "final trainings"


def compute_seconds(study: StudyResults) -> dict[str, float]:
    """Seconds of work by stage, added over all candidates and workers; most first.

    Args:
        study: Its measurements are read, too.

    Raises:
        StoreError: A line of them is damaged.
    """
    acts = _board_seconds(study)
    spent: dict[str, float] = defaultdict(float)
    for record in study.records:
        for stage, waited in record.seconds.items():
            busy = waited
            if stage == Stage.TRAINING and record.training is not None:
                busy = record.training.seconds
            elif stage == Stage.BOARD:
                # What came from the store of measurements cost less than its acts once did.
                busy = min(waited, acts.get(record.index) or waited)
            spent[stage] += busy
    again = sum(final.training.seconds for final in study.finals)
    if again:
        spent[AGAIN] = again
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def _board_seconds(study: StudyResults) -> Mapping[int, float]:
    """Seconds of the board's acts by the record's index; final trainings are not in it."""
    acts: dict[int, float] = defaultdict(float)
    for found in read_findings(study.folder / MEASUREMENTS):
        if found.seed is None:
            acts[found.index] += sum(event.seconds for event in found.measurement.events)
    return acts
