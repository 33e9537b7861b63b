# SPDX-License-Identifier: Apache-2.0
"""How a study is put together, from Python and from the command line."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.study_cases import study_of
from unas.cli.main import main
from unas.config import SpaceConfig, StudyConfig
from unas.config.load import load_study
from unas.errors import ArchitectureError, ConfigError, StoreError
from unas.store.study_folder import StudyResults
from unas.study.setup import StudyPlan, checked_space, override_study, prepare_study

COMMITTED = Path(__file__).parents[2] / "results" / "calibration" / "f746"


def virtual(mode: str, **board: Any) -> StudyConfig:
    """The small study, on the virtual board whatever is plugged in."""
    study = study_of(mode)
    return replace(study, board=replace(study.board, virtual=True, **board))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither results nor units of this checkout."""
    monkeypatch.chdir(tmp_path)


def test_a_study_of_macs_needs_data_alone(tmp_path: Path) -> None:
    lines: list[str] = []
    plan = prepare_study(study_of(), tmp_path / "results", resume=True, log=lines.append)
    assert (plan.folder, plan.resume) == (tmp_path / "results" / "small", True)
    assert (plan.input_shape, plan.num_classes) == ((8, 8, 1), 10)
    assert (plan.measure, plan.calibrated) == (None, None)
    assert plan.environment["board"] is plan.environment["calibration"] is None
    assert plan.environment["study_sha256"] == study_of().digest
    assert not lines
    assert not (tmp_path / "results").exists()


def test_a_measured_study_does_without_a_calibration(tmp_path: Path) -> None:
    lines: list[str] = []
    plan = prepare_study(virtual("measured"), tmp_path / "results", log=lines.append)
    assert plan.measure is not None
    assert plan.calibrated is None
    assert (plan.environment["board"], plan.environment["runtime"]) == ("f746", "builtin")
    assert plan.environment["source"].startswith("virtual ")
    (line,) = lines
    assert "emulated, not measured" in line


def test_a_predicted_study_needs_a_calibration(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"mode is predicted, but .*or search with --latency meas"):
        prepare_study(virtual("predicted"), tmp_path / "results")


@pytest.mark.parametrize("results", ["results", "elsewhere"])
def test_the_calibration_lies_beside_the_results_or_in_the_usual_place(
    tmp_path: Path, results: str
) -> None:
    shutil.copytree(COMMITTED, tmp_path / "results" / "calibration" / "f746")
    study = virtual("predicted")
    asks = prepare_study(study, tmp_path / results)
    assert asks.calibrated is not None
    assert asks.calibrated.samples
    assert asks.environment["calibration"]["name"] == "f746"
    assert asks.environment["calibration"]["samples"] == len(asks.calibrated.samples)
    never = replace(study, latency=replace(study.latency, ask=False))
    assert asks.measure is not None
    assert prepare_study(never, tmp_path / results).measure is None


@pytest.mark.parametrize(
    ("board", "words"),
    [
        ({"emulator": "bochs"}, "'bochs'"),
        ({"timing": "fast"}, "'fast'"),
        ({"emulator": "qemu", "timing": "pipeline"}, "QEMU counts instructions"),
        ({"runtime": "none"}, "no runtime 'none'"),
    ],
)
def test_a_board_that_does_not_exist_is_refused(
    tmp_path: Path, board: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        prepare_study(virtual("measured", **board), tmp_path)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (SpaceConfig("ccn"), "no search space 'ccn'"),
        (SpaceConfig("cnn", {"block": [1, 2]}), "unknown key 'block'"),
    ],
)
def test_a_space_that_does_not_do_is_refused_before_anything_is_written(
    tmp_path: Path, space: SpaceConfig, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        prepare_study(replace(study_of(), space=space), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_space_without_a_network_for_the_data_is_refused() -> None:
    with pytest.raises(ArchitectureError, match="at least 2 classes"):
        checked_space(study_of(), (8, 8, 1), 1)


def test_values_take_the_place_of_the_studys_own() -> None:
    study = replace(study_of(), pruning=None)
    changed = override_study(
        study,
        name="other",
        search={"rounds": 7, "seed": None},
        pruning={"finish_epoch": 1},
    )
    assert (changed.name, changed.search.rounds, changed.search.seed) == ("other", 7, 0)
    assert changed.pruning is not None
    assert changed.data == study.data
    assert override_study(study, data={"path": None}) == study
    wrong: list[dict[str, Any]] = [
        {"search": {"round": 7}},
        {"serach": {"rounds": 7}},
        {"search": {"rounds": 0}},
    ]
    for tables in wrong:
        with pytest.raises(ConfigError, match="options"):
            override_study(study, **tables)


def test_the_command_line_runs_what_python_prepares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plans: list[StudyPlan] = []

    def run_study(plan: StudyPlan, observer: object) -> StudyResults:
        plans.append(plan)
        return StudyResults(plan.folder, plan.study, (), (), plan.environment)

    monkeypatch.setattr("unas.study.run.run_study", run_study)
    path = tmp_path / "some.toml"
    path.write_text(study_of("predicted").to_toml())
    options = "--latency macs --rounds 7 --seed 3 --strategy random --name other --workers 2"
    with pytest.raises(SystemExit) as end:
        main(["search", str(path), *options.split(), "--results", "there", "--resume"])
    assert end.value.code == 0
    (plan,) = plans
    study = override_study(
        load_study(path),
        name="other",
        latency={"mode": "macs"},
        search={"rounds": 7, "seed": 3, "strategy": "random", "workers": 2},
    )
    prepared = prepare_study(study, Path("there"), resume=True)
    assert replace(plan, space=prepared.space) == prepared  # spaces hold functions
    assert "Front of other" in capsys.readouterr().out
