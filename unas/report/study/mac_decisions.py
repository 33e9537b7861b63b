# SPDX-License-Identifier: Apache-2.0
"""What a limit on MACs in place of the latency limit would have decided wrongly.

Two such limits are looked at: the study's own bound on MACs, which stands for the latency in mode
``macs``, and the one that errs least on the very candidates that are judged. Nobody can know the
latter beforehand; where even it errs, MACs cannot decide.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from unas.errors import StoreError
from unas.record import Provenance, Record
from unas.report.study.predicted_latency import Timed, latency_of
from unas.store.study_folder import StudyResults


@dataclass(frozen=True, slots=True)
class Known:
    """A candidate whose latency is known, and its MACs as the study counts them."""

    record: Record
    macs: float
    latency: Timed


@dataclass(frozen=True, slots=True)
class Verdict:
    """A limit on MACs against a limit on the latency.

    Attributes:
        most_macs: What the first lets through.
        limit_us: What is true.
        candidates: Judged by both.
        rejected: They keep ``limit_us`` and have too many MACs.
        accepted: They break it and have not.
    """

    most_macs: float
    limit_us: float
    candidates: tuple[Known, ...]
    rejected: tuple[Known, ...]
    accepted: tuple[Known, ...]

    @property
    def keep(self) -> int:
        """Candidates that keep the latency limit."""
        return sum(one.latency.value_us <= self.limit_us for one in self.candidates)

    @property
    def wrong(self) -> tuple[Known, ...]:
        """Those decided wrongly, farthest from the limit first."""
        found = (*self.rejected, *self.accepted)
        far = sorted(found, key=lambda one: -abs(math.log(one.latency.value_us / self.limit_us)))
        return tuple(far)


def judge_by_macs(candidates: Sequence[Known], limit_us: float, most_macs: float) -> Verdict:
    """Compare the two limits on these candidates."""
    keep = [one.latency.value_us <= limit_us for one in candidates]
    let = [one.macs <= most_macs for one in candidates]
    pairs = list(zip(candidates, keep, let, strict=True))
    return Verdict(
        most_macs,
        limit_us,
        tuple(candidates),
        tuple(one for one, keeps, lets in pairs if keeps and not lets),
        tuple(one for one, keeps, lets in pairs if lets and not keeps),
    )


def least_wrong(candidates: Sequence[Known], limit_us: float) -> Verdict:
    """By the limit on MACs that errs least on these candidates; the lowest of equal ones.

    Limits between two candidates decide alike, so zero and every candidate's MACs are all there is
    to try.

    Raises:
        StoreError: There is no candidate.
    """
    if not candidates:
        raise StoreError("the study knows no latency of any candidate")
    tried = sorted({0.0, *(one.macs for one in candidates)})
    return min(
        (judge_by_macs(candidates, limit_us, most) for most in tried),
        key=lambda found: len(found.rejected) + len(found.accepted),
    )


@dataclass(frozen=True, slots=True)
class MacDecisions:
    """All candidates whose latency is known, with what the study limits.

    Attributes:
        limit_us: On the latency.
        bound: On MACs, or None.
        candidates: In the journal's order.
    """

    limit_us: float
    bound: float | None
    candidates: tuple[Known, ...]

    @property
    def provenances(self) -> tuple[Provenance, ...]:
        """Where latencies come from, each once; they never mix."""
        return tuple(dict.fromkeys(one.latency.provenance for one in self.candidates))

    def of(self, provenance: Provenance) -> tuple[Known, ...]:
        """The candidates whose latency comes from there."""
        return tuple(one for one in self.candidates if one.latency.provenance is provenance)

    def median_us(self, provenance: Provenance) -> float:
        """Median latency of the candidates of one provenance: a limit that half of them keep."""
        return statistics.median(one.latency.value_us for one in self.of(provenance))

    @property
    def at_the_limit(self) -> Verdict:
        """By the study's bound on MACs, or without one by the best there is; all candidates."""
        if self.bound is None:
            return least_wrong(self.candidates, self.limit_us)
        return judge_by_macs(self.candidates, self.limit_us, self.bound)


def decide_by_macs(study: StudyResults) -> MacDecisions:
    """Every candidate's MACs, and what is known best of its latency.

    Raises:
        StoreError: The study has no limit on the latency, or knows no latency.
    """
    bounds = study.config.constraints
    if bounds.latency_us is None:
        raise StoreError("the study has no limit on the latency")
    candidates = []
    for record in study.records:
        known = latency_of(record)
        if known is not None and "macs" in record.values:
            candidates.append(Known(record, record.values["macs"], known))
    if not candidates:
        raise StoreError("the study knows no latency of any candidate")
    return MacDecisions(bounds.latency_us, bounds.macs, tuple(candidates))
