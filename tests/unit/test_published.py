# SPDX-License-Identifier: Apache-2.0
"""What is committed under ``results/`` can be read, and is in no new user's way."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from unas.config.load import load_study
from unas.store.study_folder import read_study

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "results" / "published"
STUDIES = sorted(path.parent for path in PUBLISHED.rglob("journal.jsonl"))


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout")
def test_no_committed_study_stands_where_a_new_search_would_begin() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "results"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    rooms = {Path(line).parts[1] for line in listed}
    assert rooms == {"calibration", "published"}


@pytest.mark.parametrize("folder", STUDIES, ids=lambda path: path.name)
def test_published_studies_can_be_read(folder: Path) -> None:
    study = read_study(str(folder), PUBLISHED)
    assert study.records
    assert study.environment["commit"]
    assert load_study(folder / "study.toml").digest == study.config.digest


def test_there_are_published_studies() -> None:
    assert len(STUDIES) >= 5
