# SPDX-License-Identifier: Apache-2.0
"""What a latency limit would have decided by MACs alone, against what is known better."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unas.errors import StoreError
from unas.latency.mac_line import MacLine
from unas.latency.model import MAC_LINE
from unas.record import Provenance, Record
from unas.report.study.latency import Timed, latency_of
from unas.store.calibration import calibration_folder, read_models
from unas.store.study import StudyResults


@dataclass(frozen=True, slots=True)
class ProxyLine:
    """The calibration's line over MACs: microseconds = slope x MACs + intercept.

    Attributes:
        slope_us: Of one multiply-accumulate, counted as in the paper.
        intercept_us: Without any.
        provenance: What it was fitted on: ``"emulated"`` or ``"measured"``.
        board: Whose.
    """

    slope_us: float
    intercept_us: float
    provenance: str
    board: str

    def latency_us(self, paper_macs: int) -> float:
        """What the line says."""
        return self.slope_us * paper_macs + self.intercept_us


@dataclass(frozen=True, slots=True)
class Decision:
    """One candidate at the limit: the line's word against the better one."""

    record: Record
    line_us: float
    known: Timed

    def wrongly_rejected(self, limit_us: float) -> bool:
        """It keeps the limit, and the line says it does not."""
        return self.known.value_us <= limit_us < self.line_us

    def wrongly_accepted(self, limit_us: float) -> bool:
        """It breaks the limit, and the line says it keeps it."""
        return self.line_us <= limit_us < self.known.value_us


@dataclass(frozen=True, slots=True)
class MacDecisions:
    """All candidates whose latency is known, at the study's limit.

    Attributes:
        line: Of the calibration.
        limit_us: Of the study.
        decisions: One a candidate, in the journal's order.
    """

    line: ProxyLine
    limit_us: float
    decisions: tuple[Decision, ...]

    def count(self, provenance: Provenance, limit_us: float) -> tuple[int, int, int, int]:
        """(candidates, keep a limit, wrongly rejected, wrongly accepted) of one provenance."""
        some = [one for one in self.decisions if one.known.provenance is provenance]
        return (
            len(some),
            sum(one.known.value_us <= limit_us for one in some),
            sum(one.wrongly_rejected(limit_us) for one in some),
            sum(one.wrongly_accepted(limit_us) for one in some),
        )

    def median_us(self, provenance: Provenance) -> float:
        """Median latency of the candidates of one provenance: a limit that half of them keep."""
        some = [d.known.value_us for d in self.decisions if d.known.provenance is provenance]
        return statistics.median(some)

    @property
    def wrong(self) -> tuple[Decision, ...]:
        """Those that the line gets wrong, the worst first."""
        found = [
            one
            for one in self.decisions
            if one.wrongly_rejected(self.limit_us) or one.wrongly_accepted(self.limit_us)
        ]
        return tuple(sorted(found, key=lambda d: -abs(np.log(d.line_us / d.known.value_us))))


def proxy_line(study: StudyResults, results: Path) -> ProxyLine:
    """The line of the calibration that belongs to a study.

    Raises:
        StoreError: There is no calibration, or no line in it.
    """
    config = study.config
    folder = (
        Path(config.latency.calibration)
        if config.latency.calibration
        else calibration_folder(Path(config.board.id).stem, results, config.board.runtime)
    )
    model = read_models(folder).latency.get(MAC_LINE)
    if model is None or not isinstance(model.core, MacLine):
        raise StoreError(f"{folder} holds no line over MACs; calibrate again")
    scale, line = 1e6 / model.clock_hz, model.core.line
    return ProxyLine(
        line.slope * scale,
        line.intercept * scale,
        model.identity.get("provenance", "?"),
        model.identity.get("board", folder.name),
    )


def decide_by_macs(study: StudyResults, results: Path) -> MacDecisions:
    """Judge every candidate by the line, and by what is known of it.

    Raises:
        StoreError: The study has no limit on the latency, knows no latency, or there is no line.
    """
    limit = study.config.constraints.latency_us
    if limit is None:
        raise StoreError("the study has no limit on the latency")
    line = proxy_line(study, results)
    decisions = []
    for record in study.records:
        known = latency_of(record)
        if record.figures is not None and known is not None:
            said = max(line.latency_us(record.figures.paper_macs), 1e-3)
            decisions.append(Decision(record, said, known))
    if not decisions:
        raise StoreError("the study knows no latency of any candidate")
    return MacDecisions(line, limit, tuple(decisions))
