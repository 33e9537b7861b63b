# SPDX-License-Identifier: Apache-2.0
"""What a study writes of its environment, and what it refuses to go on with."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.study_cases import study_of
from unas.config import DistillationConfig, StudyConfig
from unas.errors import ConfigError, StoreError
from unas.store.study_folder import ENVIRONMENT
from unas.study.results_folder import describe_study, write_description
from unas.train.datasets import load_dataset

digits = cache(lambda: load_dataset("digits"))


def described_now(study: StudyConfig) -> dict[str, Any]:
    return describe_study(study, digits(), board=None, source=None, calibration=None, command={})


def taught(teacher: Path) -> StudyConfig:
    return replace(study_of(), distillation=DistillationConfig(str(teacher)))


def rename_file(data: dict[str, Any]) -> None:
    data["provenance"]["files"][0]["name"] = "other.csv"


def change_file(data: dict[str, Any]) -> None:
    data["provenance"]["files"][0]["sha256"] = "ab" * 32


def change_seed(data: dict[str, Any]) -> None:
    data["provenance"]["seed"] = 5


def change_split(data: dict[str, Any]) -> None:
    data["splits"]["train"] = 7


def change_shape(data: dict[str, Any]) -> None:
    data["input_shape"] = [16, 16, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (rename_file, r"another data file digits.csv.gz \(09f66e6debde, now none\)"),
        (change_file, r"another data file digits.csv.gz \(09f66e6debde, now abababababab\)"),
        (change_seed, r"another split of the data \(.*seed 0, now .*seed 5\)"),
        (change_split, r"another train split \(1222 samples, now 7 samples\)"),
        (change_shape, r"another shape of the input \(8 x 8 x 1, now 16 x 16 x 1\)"),
    ],
)
def test_a_study_does_not_go_on_with_other_data(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    study = study_of()
    begun = described_now(study)
    write_description(tmp_path, study, begun, goes_on=False)
    write_description(tmp_path, study, begun, goes_on=True)
    now = copy.deepcopy(begun)
    change(now["data"])
    with pytest.raises(StoreError, match=message + "; restore that one, or begin a new study"):
        write_description(tmp_path, study, now, goes_on=True)
    assert json.loads((tmp_path / ENVIRONMENT).read_text()) == begun


def test_a_study_does_not_go_on_with_another_teacher(tmp_path: Path) -> None:
    teacher = tmp_path / "teacher.keras"
    teacher.write_bytes(b"wise")
    study = taught(teacher)
    begun = described_now(study)
    write_description(tmp_path, study, begun, goes_on=False)
    teacher.write_bytes(b"wiser")
    with pytest.raises(StoreError, match="another teacher of the distillation"):
        write_description(tmp_path, study, described_now(study), goes_on=True)


def test_a_study_of_a_version_that_did_not_look_at_teachers_goes_on(tmp_path: Path) -> None:
    teacher = tmp_path / "teacher.keras"
    teacher.write_bytes(b"wise")
    study = taught(teacher)
    old = described_now(study)
    del old["teacher_sha256"]
    write_description(tmp_path, study, old, goes_on=False)
    write_description(tmp_path, study, described_now(study), goes_on=True)


def test_a_teacher_that_is_not_there_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"teacher: cannot read .*no.keras: .*; give the path"):
        described_now(taught(tmp_path / "no.keras"))


@pytest.mark.parametrize("text", ["[]", "{", "{}", '{"calibration": null, "data": {"name": 1}}'])
def test_an_environment_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / ENVIRONMENT).write_text(text)
    with pytest.raises(StoreError, match="restore it, or begin anew"):
        write_description(tmp_path, study_of(), described_now(study_of()), goes_on=True)


@pytest.mark.parametrize("name", ["digits_f746", "mnist_t10k"])
def test_committed_studies_can_go_on(tmp_path: Path, name: str) -> None:
    """Their environment lacks what was added later."""
    committed = Path(__file__).parents[2] / "results" / "published" / name / ENVIRONMENT
    (tmp_path / ENVIRONMENT).write_text(committed.read_text())
    now = json.loads(committed.read_text()) | {"teacher_sha256": None}
    write_description(tmp_path, study_of(), now, goes_on=True)
