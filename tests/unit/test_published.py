# SPDX-License-Identifier: Apache-2.0
"""What is committed under ``results/`` is read, agrees with this code, and is in nobody's way.

Records hold what older versions computed. That today's code computes the same from the genes alone
is what makes old and new studies comparable, and stored journals worth resuming.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from unas.candidate import Candidate
from unas.config.load import load_study
from unas.record import Figures, Outcome
from unas.resources.counts import macs, model_size_bytes
from unas.resources.estimate import estimate
from unas.space.catalogue import find_space
from unas.store.study_folder import StudyResults, read_study
from unas.tflite.order import exported_graph
from unas.tflite.reader import read_flatbuffer

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "results" / "published"
_STRATEGIES = [f"mnist_t10k_strategies/{s}_{i}" for s in ("evolution", "random") for i in range(4)]
# By name: a study that gets lost is missed.
STUDIES = [
    *("digits_150us_macs", "digits_150us_measured", "digits_150us_predicted"),
    *("digits_f746", "mnist_t10k", *_STRATEGIES),
]
_INPUTS = {"digits": ((8, 8, 1), 10), "mnist": ((28, 28, 1), 10)}
_RECOMPUTED_EVERY = 7


@pytest.fixture(scope="module", params=STUDIES)
def study(request: pytest.FixtureRequest) -> StudyResults:
    return read_study(str(PUBLISHED / request.param), PUBLISHED)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout")
def test_no_committed_study_stands_where_a_new_search_would_begin() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "results"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {Path(line).parts[1] for line in listed} == {"calibration", "published"}


def test_every_published_journal_is_of_a_study_that_is_tested_here() -> None:
    journals = {str(p.parent.relative_to(PUBLISHED)) for p in PUBLISHED.rglob("journal.jsonl")}
    assert journals == set(STUDIES)


def test_what_the_documents_show_is_there() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {
        path.rstrip("./")
        for page in pages
        for path in re.findall(r"results/(?:published|calibration)/[\w./-]+", page.read_text())
    }
    assert len(named) > 5
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.slow
def test_records_are_whole_and_in_order(study: StudyResults) -> None:
    """Every proposal once; parents are earlier candidates; what was drawn is in the space."""
    indices = [record.index for record in study.records]
    assert sorted(indices) == list(range(len(indices)))
    assert load_study(study.folder / "study.toml").digest == study.config.digest
    assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?", study.environment["commit"])
    space = find_space(study.config.space.name, study.config.space.options)
    known: set[str] = set()
    for record in sorted(study.records, key=lambda one: one.index):
        candidate = record.candidate
        assert Candidate.from_json_dict(candidate.to_json_dict()) == candidate
        assert candidate.parent is None or candidate.parent in known
        space.validate(candidate.architecture)
        known.add(candidate.sha256)
    children = [record for record in study.records if record.candidate.parent is not None]
    assert bool(children) == (study.config.search.strategy != "random")


def test_violations_follow_from_values_and_bounds(study: StudyResults) -> None:
    bounds = study.config.constraints.bounds()
    ignored = "latency_us" if study.config.latency.mode == "macs" else "macs"
    if "latency_us" not in bounds:
        ignored = ""
    checked = 0
    for record in study.records:
        expected = {
            name: value / bounds[name]
            for name, value in record.values.items()
            if name in bounds and name != ignored and value > bounds[name]
        }
        assert record.violations == pytest.approx(expected)
        assert record.feasible == (record.outcome is Outcome.COMPLETE and not expected)
        checked += len(expected)
    assert checked > 0


def test_figures_follow_from_genes(study: StudyResults) -> None:
    shape, classes = _INPUTS[study.config.data.name]
    for record in study.records[::_RECOMPUTED_EVERY]:
        if record.unpruned is None:
            continue
        now = estimate(exported_graph(record.candidate.architecture, shape, classes))
        assert _analytic(record.unpruned) == (
            now.macs,
            now.paper_macs,
            now.model_size_bytes,
            now.peak_memory_bytes,
            now.peak_memory_without_input_bytes,
        )


def _analytic(figures: Figures) -> tuple[int, ...]:
    return (
        figures.macs,
        figures.paper_macs,
        figures.model_size_bytes,
        figures.peak_memory_bytes,
        figures.peak_memory_without_input_bytes,
    )


def test_kept_networks_are_those_that_were_trained(study: StudyResults) -> None:
    folder = study.folder / "networks"
    kept = sorted(folder.iterdir()) if folder.is_dir() else []
    assert bool(kept) == (study.folder.parent == PUBLISHED)  # runs to compare keep none
    for network in kept:
        record = study.find(network.name)
        data = study.flatbuffer(record)
        assert data is not None
        assert record.training is not None
        assert record.figures is not None
        assert hashlib.sha256(data).hexdigest() == record.training.model_sha256
        graph = read_flatbuffer(data, network.name)
        assert macs(graph) == record.figures.macs
        assert model_size_bytes(graph) == record.figures.model_size_bytes
