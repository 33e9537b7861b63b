# SPDX-License-Identifier: Apache-2.0
"""A whole search from the command line: TensorFlow, the converter and the virtual board."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from unas.config.load import load_study
from unas.record import Outcome, Provenance, Record
from unas.resources.estimate import estimate
from unas.store.journal import read_journal
from unas.store.measurements import read_findings
from unas.tflite.reader import read_flatbuffer

pytestmark = pytest.mark.slow

STUDY = """
[data]
name = "digits"
[space.options]
blocks = [1, 1]
layers = [1, 2]
filters = [4, 12]
units = [10, 16]
[constraints]
error = 0.9
peak_memory = "64KB"
model_size = "64KB"
latency = "100ms"
[search]
rounds = 2
population = 2
sample = 2
final_seeds = 0
[training]
epochs = 2
batch_size = 64
[training.optimizer]
name = "adam"
learning_rate = 0.005
[pruning]
finish_epoch = 1
max_sparsity = 0.5
[latency]
mode = "measured"
[board]
virtual = true
timing = "instructions"
"""


def start(study: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "unas.cli.main", "search", str(study), *options]
    return subprocess.Popen(
        [*command, "--results", str(study.parent / "results")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, object]]:
    """The folder of the results, and what was printed."""
    study = tmp_path_factory.mktemp("search") / "tiny.toml"
    study.write_text(STUDY)
    process = start(study, "--format", "json")
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    return study.parent / "results" / "tiny", json.loads(output)


@pytest.fixture(scope="module")
def records(searched: tuple[Path, Mapping[str, object]]) -> tuple[Record, ...]:
    return read_journal(searched[0] / "journal.jsonl").records


def test_every_candidate_is_judged(
    searched: tuple[Path, Mapping[str, object]], records: tuple[Record, ...]
) -> None:
    assert [record.index for record in records] == [0, 1]
    assert {record.outcome for record in records} == {Outcome.COMPLETE}
    assert searched[1]["records"] == 2
    for record in records:
        training = record.training
        assert training is not None
        assert training.val_error is not None
        assert 0 <= training.val_error < 0.95
        # Quantisation costs little; the same weights on the same split.
        assert abs(training.val_error - training.float_val_error) < 0.2


def test_size_error_and_latency_are_of_one_flatbuffer(
    searched: tuple[Path, Mapping[str, object]], records: tuple[Record, ...]
) -> None:
    folder, printed = searched
    front = printed["front"]
    assert isinstance(front, list)
    by_id = {record.candidate.short_id: record for record in records}
    for entry in front:
        record = by_id[entry["network"]]
        data = (folder / "networks" / entry["network"] / "model.tflite").read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        assert record.training is not None
        assert record.measurement is not None
        assert record.figures is not None
        assert record.training.model_sha256 == record.measurement.model_sha256 == digest
        assert record.measurement.provenance is Provenance.EMULATED
        assert record.measurement.output_equal is not False
        figures = estimate(read_flatbuffer(data, "front"))
        assert record.figures.model_size_bytes == figures.model_size_bytes
        assert record.figures.macs == figures.macs
        assert record.figures.flatbuffer_bytes == len(data)


def test_the_board_was_asked_before_and_after_training(
    searched: tuple[Path, Mapping[str, object]], records: tuple[Record, ...]
) -> None:
    found = read_findings(searched[0] / "measurements.jsonl")
    for record in records:
        mine = [one.measurement for one in found if one.index == record.index]
        assert len(mine) == 2
        assert record.measurement is not None
        assert mine[1].model_sha256 == record.measurement.model_sha256
        assert {one.timing for one in mine} == {"instructions"}


def test_the_folder_tells_how_it_was_made(searched: tuple[Path, Mapping[str, object]]) -> None:
    folder, _ = searched
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["data"]["input_shape"] == [8, 8, 1]
    assert environment["data"]["splits"].keys() == {"train", "validation", "test"}
    assert environment["study_sha256"] == load_study(folder / "study.toml").digest
    assert str(folder.parent) not in (folder / "environment.json").read_text()


def test_ctrl_c_ends_a_search_that_goes_on_later(tmp_path: Path) -> None:
    """Exit code 130, a whole journal, no process left; --resume begins where it was."""
    study = tmp_path / "tiny.toml"
    study.write_text(STUDY.replace('"measured"', '"macs"').replace("[search]", "[search]\nseed=7"))
    text = study.read_text().replace('latency = "100ms"', "macs = 1_000_000")
    study.write_text(text)
    process = start(study, "--rounds", "500")
    journal = tmp_path / "results" / "tiny" / "journal.jsonl"
    deadline = time.monotonic() + 120
    while not journal.exists() or journal.read_bytes().count(b"\n") < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "--resume" in errors
    assert "Traceback" not in errors
    records = read_journal(journal).records
    assert records
    again = start(study, "--rounds", str(len(records)), "--resume")
    _, errors = again.communicate(timeout=60)
    assert again.returncode == 0, errors
    assert read_journal(journal).records == records
