# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest

from unas.constraints import Constraints
from unas.record import Outcome, Record
from unas.strategies.progress import best_feasible, count_outcomes, covered_share, trainings
from unas.strategies.strategy import RandomSearch
from unas.testing.search import FakeSpace, fake_search

BOUNDS = Constraints(error=0.25, model_size_bytes=2000)
RECORDS = fake_search(RandomSearch(FakeSpace()), 200, BOUNDS)


def test_what_is_covered_only_grows_and_stays_below_one() -> None:
    shares = [covered_share(RECORDS[:count], BOUNDS) for count in range(0, 201, 20)]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert 0.0 < shares[-1] < 1.0


def test_what_is_covered_is_in_units_of_the_bounds() -> None:
    """One record at half of each bound covers (2 - 1/2)^2 of a cube of 2^2."""
    record = replace(
        next(r for r in RECORDS if r.outcome is Outcome.COMPLETE),
        values={"error": 0.125, "model_size_bytes": 1000.0, "macs": 1e9},
    )
    assert covered_share([record], BOUNDS) == pytest.approx(1.5**2 / 4)
    assert covered_share([record], BOUNDS, reach=1.0) == pytest.approx(0.25)
    ignorant = replace(record, values={"error": 0.1})
    assert covered_share([ignorant], BOUNDS) == 0.0


def test_the_best_feasible_record_by_each_quantity() -> None:
    for name in ("error", "model_size_bytes", "val_error"):
        best = best_feasible(RECORDS, name, BOUNDS)
        assert best is not None
        assert best.feasible
        values = [r.values["error" if name == "val_error" else name] for r in RECORDS if r.feasible]
        assert best.values["error" if name == "val_error" else name] == min(values)
    assert best_feasible(RECORDS, "board_latency_us", BOUNDS) is None
    assert best_feasible([r for r in RECORDS if not r.feasible], "error", BOUNDS) is None


def test_of_equally_good_records_the_best_is_dominated_by_none() -> None:
    known = next(r for r in RECORDS if r.feasible)

    def one(index: int, size: float) -> Record:
        return replace(known, index=index, values={"error": 0.1, "model_size_bytes": size})

    large, small, same = one(0, 1900.0), one(1, 700.0), one(2, 700.0)
    assert best_feasible([large, same, small], "error", BOUNDS) is small
    assert best_feasible([large, small], "model_size_bytes", BOUNDS) is small


def test_outcomes_and_trainings_are_counted() -> None:
    counts = count_outcomes(RECORDS)
    assert set(counts) == set(Outcome)
    assert sum(counts.values()) == len(RECORDS)
    assert trainings(RECORDS) == counts[Outcome.COMPLETE] > 0


def test_a_training_that_answers_a_repeated_proposal_counts_once() -> None:
    first = next(record for record in RECORDS if record.training is not None)
    assert first.training is not None
    repeated = replace(first, index=1000)
    anew = replace(repeated, training=replace(first.training, seed=1000))
    assert trainings([first, repeated]) == 1
    assert trainings([first, repeated, anew]) == 2
