# SPDX-License-Identifier: Apache-2.0
"""Figures and tables of a calibration: what they count, and that the same data give the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.synthetic_calibration import write_synthetic
from unas.cli.main import main
from unas.errors import StoreError
from unas.report.calibration.coverage import (
    HeldOutTable,
    coverage_by_level,
    held_out,
    models_shown,
    scores,
)
from unas.report.calibration.decisions import decide, limits_of
from unas.report.calibration.figures import FIGURES, draw, draw_all
from unas.report.calibration.operator_errors import operator_errors
from unas.report.calibration.summary import summary_of
from unas.store.calibration import Calibration, calibration_folder

latencies = st.lists(
    st.tuples(st.floats(1, 1e6), st.floats(1, 1e6)),
    min_size=2,
    max_size=40,
    unique_by=lambda p: p[0],
)


@pytest.fixture(scope="module")
def calibration(tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    return write_synthetic(tmp_path_factory.mktemp("results"))


def table_of(pairs: list[tuple[float, float]]) -> HeldOutTable:
    found, predicted = np.array(pairs).T
    return HeldOutTable("any", found, predicted, predicted / 1.1, predicted * 1.1)


@given(latencies, st.floats(1, 1e6))
def test_decisions_count_what_a_search_would_decide(
    pairs: list[tuple[float, float]], limit: float
) -> None:
    made = decide(table_of(pairs), limit)
    accepted = [found for found, predicted in pairs if predicted <= limit]
    assert made.wrongly_accepted == sum(found > limit for found in accepted)
    assert made.feasible == sum(found <= limit for found, _ in pairs)
    assert len(accepted) == made.feasible - made.wrongly_rejected + made.wrongly_accepted


@given(latencies)
def test_a_perfect_model_decides_right_at_every_limit(pairs: list[tuple[float, float]]) -> None:
    table = table_of([(found, found) for found, _ in pairs])
    limits = limits_of(table)
    assert len(limits) >= 1
    for limit in limits:
        made = decide(table, float(limit))
        assert made.wrongly_accepted == made.wrongly_rejected == 0
        assert 0 < made.feasible < made.n


def test_coverage_of_stretched_intervals_is_near_the_level() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.uniform(100, 1000, 400)
    found = predicted * np.exp(0.1 * rng.standard_normal(400))
    table = HeldOutTable("any", found, predicted, predicted * np.exp(-0.2), predicted * np.exp(0.2))
    levels = np.array([0.1, 0.5, 0.9])
    assert np.allclose(coverage_by_level(table, levels), levels, atol=0.02)
    inside = (table.lower_us <= found) & (found <= table.upper_us)
    assert np.array_equal(scores(table) <= 1.0, inside)


def test_the_default_decides_better_than_the_line(calibration: Calibration) -> None:
    made = summary_of(calibration)
    line, default = made["models"]["mac-line"], made["models"][calibration.models.chosen]
    assert default["wrong_decisions_percent"] < line["wrong_decisions_percent"]
    assert default["spearman"] > line["spearman"]
    found = np.sort(held_out(calibration, "mac-line").actual_us)
    assert made["limit_us"] == pytest.approx((found[14] + found[15]) / 2)
    assert made["provenance"] == "emulated"


def test_operator_errors_weigh_families_by_their_time(calibration: Calibration) -> None:
    table = operator_errors(calibration)
    assert table["share_percent"].sum() == pytest.approx(100.0)
    assert table["share_percent"].is_monotonic_decreasing
    assert set(table["family"]) == set(calibration.operators["family"])


@pytest.fixture(scope="module")
def drawn(
    calibration: Calibration, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, tuple[Path, ...]]:
    folder = tmp_path_factory.mktemp("figures")
    return folder, draw_all(calibration, folder)


@pytest.mark.slow
def test_every_figure_is_drawn_and_says_where_its_numbers_come_from(
    drawn: tuple[Path, tuple[Path, ...]],
) -> None:
    folder, paths = drawn
    assert set(paths) == {folder / f"{name}{end}" for name in FIGURES for end in (".png", ".svg")}
    for name in FIGURES:
        text = (folder / f"{name}.svg").read_text()
        assert "emulated" in text, name
        assert "measured" not in text, name


@pytest.mark.parametrize("name", ["mac_vs_latency", "decisions"])
def test_the_same_data_give_the_same_bytes(
    calibration: Calibration,
    drawn: tuple[Path, tuple[Path, ...]],
    tmp_path: Path,
    name: str,
) -> None:
    for path in draw(calibration, tmp_path, name):
        assert path.read_bytes() == (drawn[0] / path.name).read_bytes()


def test_what_is_not_known_is_not_drawn(calibration: Calibration, tmp_path: Path) -> None:
    """As of measurements made elsewhere: no arena, no operators, no line."""
    poor = replace(
        calibration,
        table=calibration.table.drop(columns=["arena_predicted_bytes"]),
        operators=pd.DataFrame(columns=calibration.operators.columns),
        lines={},
    )
    stale = tmp_path / "arena_model.png"
    stale.write_bytes(b"of another calibration")
    names = {path.stem for path in draw_all(poor, tmp_path)}
    assert names == {"latency_model", "decisions", "coverage"}
    assert not stale.exists()
    with pytest.raises(StoreError, match="calibrate"):
        draw(poor, tmp_path, "operator_errors")


def test_the_default_stands_last(calibration: Calibration) -> None:
    shown = models_shown(calibration)
    assert shown[0] == "mac-line"
    assert shown[-1] == calibration.models.chosen
    with pytest.raises(StoreError, match="mac-line"):
        held_out(calibration, "none")


def test_the_commands_show_what_is_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = calibration_folder("f746", tmp_path)
    stored = write_synthetic(folder)
    where = ["--board", "f746", "--results", str(tmp_path)]
    for arguments in (
        ["quality", *where, "--limit", "3ms", "--format", "json"],
        ["quality", *where],
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code in (0, None)
        text = capsys.readouterr().out
        if "json" in arguments:
            assert json.loads(text) == summary_of(stored, 3000.0)
        else:
            assert f"{stored.models.chosen} (default)" in text
            assert "truth: emulated" in text
    with pytest.raises(SystemExit):
        main(["plot", "operator-errors", *where])
    assert {Path(line).name for line in capsys.readouterr().out.split()} == {
        "operator_errors.png",
        "operator_errors.svg",
    }
    assert (folder / "operator_errors.png").exists()
