# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from unas.config import PruningConfig, StudyConfig, study_from_toml
from unas.config.study import table_digest
from unas.errors import StoreError
from unas.record import FinalTraining, Outcome, Record, TrainingResult
from unas.report.study.page import study_page
from unas.store.journal import Journal, read_journal
from unas.store.study_folder import read_study
from unas.strategies.catalogue import make_strategy
from unas.strategies.replay import RecordedSpace, replay
from unas.strategies.strategy import RandomSearch, Strategy
from unas.testing.search import FakeSpace, fake_search

ROOT = Path(__file__).parents[2]
STUDY_TOML = """
[data]
name = "digits"
[constraints]
error = 0.2
model_size = 900
[search]
population = 10
sample = 4
rounds = 40
"""


@pytest.fixture
def study() -> StudyConfig:
    return study_from_toml(STUDY_TOML, "study.toml", "study")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study" / "journal.jsonl"


def _strategy(study: StudyConfig) -> Strategy:
    return make_strategy(study, FakeSpace())


def _search(path: Path, study: StudyConfig, rounds: int, *, resume: bool = False) -> list[Record]:
    """A study: told from the journal, then on to the given number of records."""
    strategy = _strategy(study)
    with Journal(path, study, resume=resume) as journal:
        for record in journal.content.records:
            strategy.tell(record)
        left = rounds - len(journal.content.records)
        fake_search(strategy, left, study.judged, journal.append)
    return list(read_journal(path).records)


def test_what_was_appended_is_read(path: Path, study: StudyConfig) -> None:
    records = fake_search(_strategy(study), 12, study.judged)
    final = FinalTraining(records[0].candidate.sha256, TrainingResult(1, 5, 4, 0.1, 0.2, 0.1, 0.2))
    with Journal(path, study) as journal:
        for record in records[:6]:
            journal.append(record)
        journal.append(final)
        for record in records[6:]:
            journal.append(record)
        assert read_journal(path).records == tuple(records)  # while it is open
    content = read_journal(path)
    assert (content.study, content.finals) == (study, (final,))


def test_a_resumed_study_goes_on_as_if_nothing_had_been(
    tmp_path: Path, path: Path, study: StudyConfig
) -> None:
    whole = _search(path, study, 40)
    for cut in (0, 5, 10, 33, 40):
        other = tmp_path / str(cut) / "journal.jsonl"
        _search(other, study, cut)
        assert _search(other, study, 40, resume=True) == whole
        assert other.read_bytes() == path.read_bytes()


def test_a_last_line_without_its_end_is_cut_wherever_it_was_torn(
    path: Path, study: StudyConfig
) -> None:
    whole = _search(path, study, 11)
    data = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]
    cuts = {end + step for end in ends for step in (-1, 0, 1)} | {0, 1, ends[0] // 2}
    for cut in sorted(cut for cut in cuts if cut <= len(data)):
        path.write_bytes(data[:cut])
        assert _search(path, study, 11, resume=True) == whole
        assert path.read_bytes() == data
    path.write_bytes(data[: ends[3]] + b"\0" * 100)  # a file system's way to lose a line
    assert _search(path, study, 11, resume=True) == whole


@pytest.mark.parametrize(
    "damage",
    [
        b"\n",
        b"{}\n",
        b"[1]\n",
        b"12\n",
        b"\xff\xfe\n",
        b'{"kind":"record"}\n',
        b'{"kind":"note","text":"x"}\n',
        b'{"kind":"record","schema":1,"index":NaN}\n',
        b'{"kind":"record","schema":99}\n',
    ],
)
def test_other_damage_is_an_error_that_names_the_line(
    path: Path, study: StudyConfig, damage: bytes
) -> None:
    _search(path, study, 6)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = damage
    path.write_bytes(b"".join(lines))
    for read in (lambda: read_journal(path), lambda: Journal(path, study, resume=True)):
        with pytest.raises(StoreError, match="line 4"):
            read()
    assert path.read_bytes() == b"".join(lines)  # nobody mended it


def test_a_record_twice_names_both_lines(path: Path, study: StudyConfig) -> None:
    _search(path, study, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[2]]))
    with pytest.raises(StoreError, match="line 6: record 1 stands in line 3"):
        read_journal(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seed":0', b'"seed":7'),
        (b'"schema":1', b'"schema":2'),
        (b'"model_size":900', b'"model_size":901'),
        (b'"model_size":900', b'"model_sise":900'),
        (b'"kind":"study"', b'"kind":"record"'),
        (b'"study":{', b'"study":[{'),
    ],
)
def test_a_changed_header_is_an_error(
    path: Path, study: StudyConfig, old: bytes, new: bytes
) -> None:
    _search(path, study, 2)
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(StoreError, match="line 1"):
        read_journal(path)


def test_another_study_is_not_resumed_and_told_apart_by_name(
    path: Path, study: StudyConfig
) -> None:
    _search(path, study, 3)
    other = replace(study, training=replace(study.training, epochs=5))
    with pytest.raises(StoreError, match=r"\[training\] epochs differ"):
        Journal(path, other, resume=True)
    other = replace(study, pruning=PruningConfig(5), board=replace(study.board, runs=9))
    with pytest.raises(StoreError, match=r"\[board\] runs, \[pruning\] differ"):
        Journal(path, other, resume=True)
    other = replace(study, search=replace(study.search, seed=1))
    with pytest.raises(StoreError, match=r"\[search\] seed differ"):
        Journal(path, other, resume=True)
    longer = replace(study, name="x", search=replace(study.search, rounds=99, workers=4))
    Journal(path, longer, resume=True).close()


def test_a_journal_of_an_earlier_version_with_fewer_settings_is_read(
    path: Path, study: StudyConfig
) -> None:
    """A setting that came later has the default that was the rule before."""
    whole = _search(path, study, 3)
    header, *rest = path.read_bytes().splitlines(keepends=True)
    data = json.loads(header)
    del data["study"]["search"]["cap"], data["study"]["latency"]
    data["config_sha256"] = table_digest(data["study"])
    path.write_bytes(b"".join([json.dumps(data).encode() + b"\n", *rest]))
    assert read_journal(path).study == study
    assert _search(path, study, 3, resume=True) == whole


def test_a_journal_holds_no_places_of_the_machine(path: Path, study: StudyConfig) -> None:
    local = replace(
        study,
        data=replace(study.data, path="/home/me/digits"),
        board=replace(study.board, tflm="/home/me/tflm"),
    )
    _search(path, local, 3)
    assert b"/home/me" not in path.read_bytes()
    assert read_journal(path).study == study


def test_a_journal_is_not_overwritten_and_not_shared(path: Path, study: StudyConfig) -> None:
    with Journal(path, study), pytest.raises(StoreError, match="another process"):
        Journal(path, study, resume=True)
    with pytest.raises(StoreError, match="--resume"):
        Journal(path, study)
    Journal(path, study, resume=True).close()


def test_a_journal_that_is_missing_or_has_no_place_is_an_error(
    tmp_path: Path, study: StudyConfig
) -> None:
    with pytest.raises(StoreError, match="cannot read"):
        read_journal(tmp_path / "journal.jsonl")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot write"):
        Journal(tmp_path / "file" / "journal.jsonl", study)


WRITER = """
import sys
from pathlib import Path
from unas.config import study_from_toml
from unas.strategies.catalogue import make_strategy
from unas.store.journal import Journal
from unas.testing.search import FakeSpace, fake_record

study = study_from_toml(sys.argv[2], "study.toml", "study")
strategy = make_strategy(study, FakeSpace())
with Journal(Path(sys.argv[1]), study, resume=True) as journal:
    for record in journal.content.records:
        strategy.tell(record)
    while True:
        record = fake_record(strategy.ask(), study.judged)
        strategy.tell(record)
        journal.append(record)
        print(record.index, flush=True)
"""


def test_kill_9_loses_at_most_what_was_in_flight(path: Path, study: StudyConfig) -> None:
    """A process writes records until it is killed; the next one goes on; three times over."""
    said = -1
    for patience in (3, 40, 17):
        command = [sys.executable, "-c", WRITER, str(path), STUDY_TOML]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(patience):
                said = int(writer.stdout.readline())
            os.kill(writer.pid, signal.SIGKILL)
            said = max([said, *map(int, writer.stdout.read().split())])
        assert len(read_journal(path).records) >= said + 1
    broken = list(read_journal(path).records)
    assert broken == fake_search(_strategy(study), len(broken), study.judged)


OLD_JOURNAL = ROOT / "results" / "published" / "mnist_t10k_strategies" / "evolution_0"


def test_a_journal_that_calls_early_stopping_pruned_is_read_replayed_and_reported() -> None:
    data = (OLD_JOURNAL / "journal.jsonl").read_bytes()
    count = data.count(b'"outcome":"pruned"')
    study = read_study(str(OLD_JOURNAL), OLD_JOURNAL.parent)
    stopped = [r for r in study.records if r.outcome is Outcome.STOPPED_EARLY]
    assert len(stopped) == count > 0
    assert {r.to_json_dict()["outcome"] for r in stopped} == {"stopped_early"}
    replayed = replay(RandomSearch(RecordedSpace(study.records)), study.records, 40)
    assert any(r.outcome is Outcome.STOPPED_EARLY for r in replayed.records)
    page = study_page(study, OLD_JOURNAL.parent)
    assert "stopped_early" in page
    assert ">pruned<" not in page


def test_a_study_that_calls_early_stopping_pruned_goes_on(path: Path, study: StudyConfig) -> None:
    records = fake_search(_strategy(study), 12, study.judged)
    records[4] = replace(records[4], outcome=Outcome.STOPPED_EARLY, cause="without prospects")
    with Journal(path, study) as journal:
        for record in records:
            journal.append(record)
    new = path.read_bytes()
    old = new.replace(b'"outcome":"stopped_early"', b'"outcome":"pruned"')
    assert old != new
    path.write_bytes(old)
    with Journal(path, study, resume=True) as journal:
        assert journal.content.records == tuple(records)
        journal.append(replace(records[4], index=12))
    lines = path.read_bytes()
    assert lines.startswith(old)
    assert lines[len(old) :].count(b'"outcome":"stopped_early"') == 1
