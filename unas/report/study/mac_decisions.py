# SPDX-License-Identifier: Apache-2.0
"""MACs as a proxy of the latency: which candidates a limit on MACs decides wrongly.

Two such limits are looked at: the study's own bound on MACs, which stands for the latency in mode
``macs``, and the limit with the fewest errors on these very candidates. Nobody can know the latter
beforehand; where even it errs, MACs cannot decide.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from unas.errors import StoreError
from unas.record import Provenance, Record
from unas.record.latency import Latency, latency_of
from unas.store.study_folder import StudyResults


@dataclass(frozen=True, slots=True)
class TimedCandidate:
    """A candidate whose latency is known, and its MACs as the study counts them."""

    record: Record
    macs: float
    latency: Latency


@dataclass(frozen=True, slots=True)
class ProxyErrors:
    """Errors of a limit on MACs that stands for a limit on the latency.

    Attributes:
        macs_limit: The proxy accepts candidates of at most so many MACs.
        latency_limit_us: The true limit.
        candidates: All that were decided on.
        wrongly_rejected: Fast enough, but of too many MACs.
        wrongly_accepted: Too slow, but of few enough MACs.
    """

    macs_limit: float
    latency_limit_us: float
    candidates: tuple[TimedCandidate, ...]
    wrongly_rejected: tuple[TimedCandidate, ...]
    wrongly_accepted: tuple[TimedCandidate, ...]

    @property
    def fast_enough(self) -> int:
        """Number of candidates within the latency limit."""
        return sum(one.latency.value_us <= self.latency_limit_us for one in self.candidates)

    @property
    def wrong(self) -> tuple[TimedCandidate, ...]:
        """Both kinds of errors, those farthest from the latency limit first."""

        def distance(one: TimedCandidate) -> float:
            return abs(math.log(one.latency.value_us / self.latency_limit_us))

        errors = (*self.wrongly_rejected, *self.wrongly_accepted)
        return tuple(sorted(errors, key=distance, reverse=True))


def proxy_errors(
    candidates: Sequence[TimedCandidate], latency_limit_us: float, macs_limit: float
) -> ProxyErrors:
    """Compare the decisions of the two limits on these candidates."""
    rejected, accepted = [], []
    for one in candidates:
        fast, small = one.latency.value_us <= latency_limit_us, one.macs <= macs_limit
        if fast and not small:
            rejected.append(one)
        elif small and not fast:
            accepted.append(one)
    return ProxyErrors(
        macs_limit, latency_limit_us, tuple(candidates), tuple(rejected), tuple(accepted)
    )


def best_proxy(candidates: Sequence[TimedCandidate], latency_limit_us: float) -> ProxyErrors:
    """The limit on MACs with the fewest errors on these candidates; the lowest of equal ones.

    Limits between two candidates decide alike, so zero and every candidate's MACs are all there is
    to try.

    Raises:
        StoreError: There is no candidate.
    """
    if not candidates:
        raise StoreError("the study knows no latency of any candidate")
    limits = sorted({0.0, *(one.macs for one in candidates)})
    return min(
        (proxy_errors(candidates, latency_limit_us, limit) for limit in limits),
        key=lambda errors: len(errors.wrongly_rejected) + len(errors.wrongly_accepted),
    )


@dataclass(frozen=True, slots=True)
class MacDecisions:
    """All candidates whose latency is known, with what the study limits.

    Attributes:
        latency_limit_us: The study's bound on the latency.
        macs_limit: The study's bound on MACs; None without one.
        candidates: In the journal's order.
    """

    latency_limit_us: float
    macs_limit: float | None
    candidates: tuple[TimedCandidate, ...]

    @property
    def provenances(self) -> tuple[Provenance, ...]:
        """Provenances of the latencies, each once; they never mix."""
        return tuple(dict.fromkeys(one.latency.provenance for one in self.candidates))

    def of(self, provenance: Provenance) -> tuple[TimedCandidate, ...]:
        """The candidates whose latency comes from there."""
        return tuple(one for one in self.candidates if one.latency.provenance is provenance)

    def median_us(self, provenance: Provenance) -> float:
        """Median latency of one provenance: half of its candidates are faster."""
        return statistics.median(one.latency.value_us for one in self.of(provenance))

    @property
    def errors(self) -> ProxyErrors:
        """Errors of the study's bound on MACs, or without one of the best proxy, on all of them."""
        if self.macs_limit is None:
            return best_proxy(self.candidates, self.latency_limit_us)
        return proxy_errors(self.candidates, self.latency_limit_us, self.macs_limit)


def decide_by_macs(study: StudyResults) -> MacDecisions:
    """MACs and latency of every candidate whose latency is known.

    Raises:
        StoreError: The study has no limit on the latency, or knows no latency.
    """
    bounds = study.config.constraints
    if bounds.latency_us is None:
        raise StoreError("the study has no limit on the latency")
    candidates = []
    for record in study.records:
        latency = latency_of(record)
        if latency is not None and "macs" in record.values:
            candidates.append(TimedCandidate(record, record.values["macs"], latency))
    if not candidates:
        raise StoreError("the study knows no latency of any candidate")
    return MacDecisions(bounds.latency_us, bounds.macs, tuple(candidates))
