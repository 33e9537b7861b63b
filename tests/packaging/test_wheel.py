# SPDX-License-Identifier: Apache-2.0
"""The wheel is complete: it carries boards and templates, and works without the checkout."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import pytest

from unas._paths import boards_dir, templates_dir
from unas._process import run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    run(command, timeout_s=120, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_it_carries_every_board_and_template(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for room in (boards_dir(), templates_dir()):
        for path in room.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"unas/_data/{path.relative_to(room.parent).as_posix()}" in names


def test_it_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Unpacked elsewhere, with the checkout out of sight, it finds its own data."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); import unas; "
        "assert 'site' in unas.__file__, unas.__file__; "
        "from unas.cli.main import main; main(['boards', '--format', 'json'])"
    )
    done = run([sys.executable, "-c", code], timeout_s=60, cwd=tmp_path)
    boards = json.loads(done.stdout)
    assert {row["id"] for row in boards} == {path.stem for path in boards_dir().glob("*.toml")}
