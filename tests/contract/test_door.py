"""The door: every name is there, lazily, and its example runs."""

from __future__ import annotations

import doctest
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import unas
import unas._door

ROOT = Path(__file__).parents[2]
WITH_EXAMPLE = ("estimate", "predict", "measure", "calibrate", "search", "read_study", "export")
ELSEWHERE = ("load_board", "list_boards", "load_model", "load_study")
SLOW = ("measure", "calibrate", "search", "export")


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What examples read is there as in a clone; what they write goes elsewhere."""
    for name in ("results", "configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_names_are_there_and_documented() -> None:
    assert len(unas.__all__) in range(18, 26)
    for name in unas.__all__:
        value = getattr(unas, name)
        assert name.startswith("__") or inspect.getdoc(value), name
    assert set(unas.__all__) <= set(dir(unas))
    with pytest.raises(AttributeError, match="it has Board, Bundle"):
        unas.nothing  # noqa: B018


def test_no_room_bears_a_name_of_the_door() -> None:
    """Importing ``unas.x`` binds x in ``unas``: a room of that name would hide the function."""
    rooms = {path.stem for path in (ROOT / "unas").iterdir()}
    assert rooms & set(unas.__all__) == set()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in (*WITH_EXAMPLE, *ELSEWHERE)
    ],
)
def test_the_example_gives_what_it_shows(name: str, clone: Path) -> None:
    function = getattr(unas, name)
    (test,) = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    assert test.examples, f"{name} has no example"
    result = doctest.DocTestRunner().run(test)
    assert result.failed == 0


def test_what_comes_out_becomes_plain_data_and_frames(clone: Path) -> None:
    path = "results/published/digits_f746/networks/cad626d10371/model.tflite"
    model = unas.load_model(path)
    study = unas.read_study("results/published/digits_f746")
    prediction, estimate = unas.predict(model, "f746"), unas.estimate(model)
    for value in (model, study, prediction, estimate, unas.load_board("f746"), study.config):
        json.dumps(value.to_dict())
    assert list(prediction.to_frame()["name"]) == [str(op.kind) for op in model.graph.operators]
    assert len(estimate.to_frame()) == len(model.graph.operators)
    frame = study.to_frame()
    assert frame["feasible"].sum() == sum(record.feasible for record in study.records)
    assert set(frame["network"]) == {record.candidate.short_id for record in study.records}


@pytest.mark.slow
def test_the_readme_shows_what_its_program_prints(clone: Path) -> None:
    section = (ROOT / "README.md").read_text().split("## Use from Python")[1].split("\n## ")[0]
    (program,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", section, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=200
    )
    assert done.stdout.splitlines() == shown.splitlines()
