# SPDX-License-Identifier: Apache-2.0
"""A result is spelled in one way, wherever it is shown."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.study_example import write_example
from unas.cli.results_output import print_search
from unas.exports.card import error_rows
from unas.record import Prediction, Provenance
from unas.record.latency import latency_of, latency_provenance, mean_std
from unas.record.wording import (
    NOT_KNOWN,
    column_text,
    duration,
    mean_std_percent,
    percent,
    percent_range,
    predicted_latency_text,
    quantity_text,
    range_text,
)
from unas.report.study.network import network_views
from unas.store.study_folder import StudyResults, read_study


def test_mean_and_standard_deviation_are_those_of_a_sample() -> None:
    spread = mean_std([0.02, 0.03, 0.07])
    assert spread.mean == pytest.approx(0.04)
    assert spread.std == pytest.approx(math.sqrt((4 + 1 + 9) / 2) / 100)
    assert (spread.n, spread.min, spread.max) == (3, 0.02, 0.07)
    assert mean_std([0.5]).std == 0.0


def test_shares_are_percent() -> None:
    assert percent(0.0312) == "3.12 %"
    assert percent(None) == mean_std_percent(None) == NOT_KNOWN
    assert mean_std_percent(mean_std([0.02, 0.03, 0.07])) == "4.00 ± 2.65 %"
    assert mean_std_percent(mean_std([0.02, 0.03, 0.07]), digits=1) == "4.0 ± 2.6 %"
    assert mean_std_percent(mean_std([0.02])) == "2.00 %"  # one value has no deviation
    assert percent_range(mean_std([0.07, 0.02])) == "2.00 to 7.00 %"


@pytest.mark.parametrize(
    ("name", "value", "alone", "in_column"),
    [
        ("error", 0.0312, "3.12 %", "3.12 %"),
        ("latency_us", 153.42, "153.4 µs", "0.153 ms"),
        ("latency_us", 2_500.0, "2.50 ms", "2.500 ms"),
        ("macs", 43_383.0, "43,383", "43,383 MACs"),
        ("peak_memory_bytes", 2_224.0, "2,224 B", "2,224 B"),
    ],
)
def test_quantities_have_their_unit(name: str, value: float, alone: str, in_column: str) -> None:
    assert quantity_text(name, value) == alone
    assert column_text(name, value) == in_column
    assert range_text(name, (value, value)) == f"{alone} to {alone}"


def test_latencies_and_durations_have_a_unit_that_suits() -> None:
    text = predicted_latency_text(Prediction(950.0, 900.0, 1_234.5))
    assert text == "950.0 µs (900.0 µs to 1.23 ms)"
    assert [duration(s) for s in (9.0, 100, 5_999, 6_000)] == [
        "9.0 s",
        "1.7 min",
        "100.0 min",
        "1.7 h",
    ]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    place = tmp_path_factory.mktemp("results")
    write_example(place / "one")
    return read_study("one", place)


def test_table_page_and_card_say_the_same_of_repeated_trainings(
    study: StudyResults, capsys: pytest.CaptureFixture[str]
) -> None:
    view = next(view for view in network_views(study) if view.record.feasible)
    record, finals = view.record, study.finals_of(view.record)
    on_page = next(test for what, _, test in view.errors if what.endswith("mean ± std"))
    on_card = error_rows(record, finals)[-1][2]
    print_search(study.config, replace(study, records=(record,), finals=finals))
    assert on_page == on_card
    assert f"{on_page} (3)" in " ".join(capsys.readouterr().out.split())


def test_the_latency_of_a_board_goes_before_a_predicted_one(study: StudyResults) -> None:
    asked = next(r for r in study.records if r.measurement is not None and r.figures is not None)
    assert asked.measurement is not None
    latency = latency_of(asked)
    assert latency is not None
    assert latency.value_us == asked.measurement.latency_us
    assert latency.provenance is latency_provenance(asked) is Provenance.EMULATED
    left = replace(asked, measurement=None)
    predicted = latency_of(left)
    assert predicted is not None
    assert predicted.provenance is latency_provenance(left) is Provenance.PREDICTED
    assert latency_of(replace(left, figures=None)) is None


@pytest.mark.slow
def test_the_page_lies_in_the_study_or_where_it_is_told(
    study: StudyResults, tmp_path: Path
) -> None:
    from unas.report.study.page import write_page

    first = write_page(study, tmp_path)
    assert first == study.folder / "report.html"
    assert write_page(study, tmp_path, tmp_path / "deep" / "page.html").read_bytes() == (
        first.read_bytes()
    )
