# SPDX-License-Identifier: Apache-2.0
"""What a search says, and how options take the place of the study's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.study_cases import run_in, study_of
from unas.cli.main import main
from unas.cli.progress import SearchLines, SearchView, progress_lines
from unas.cli.results_output import print_search, print_search_json
from unas.record import FinalTraining
from unas.store.study_folder import StudyResults
from unas.study.observer import Status

STATUS = Status(
    records=12,
    fresh=6,
    trainings=9,
    finals=0,
    finals_wanted=0,
    seconds=60.0,
    board_seconds=15.0,
    open={12: "training", 13: "board"},
    fits=2,
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return run_in("predicted", tmp_path_factory.mktemp("study"))


def test_the_live_view_tells_how_far_and_how_good(found: StudyResults) -> None:
    view = SearchView(study_of("predicted"))
    view.began(found.records[:12], ())
    console = Console(width=140, record=True, quiet=True)
    console.print(view.drawing())
    view.status(STATUS)
    for record in found.records[12:]:
        view.record(record)
    view.note("the board rests")
    console = Console(width=140, record=True, force_terminal=False)
    with console.capture() as capture:
        console.print(view.drawing())
    text = capture.get()
    for words in ("12 of 24 rounds", "9 trained", "360 candidates an hour", "25 % busy"):
        assert words in text
    assert "12 training, 13 board" in text
    assert "the board rests" in text
    assert "best peak memory" in text
    assert "best latency" in text
    assert found.feasible[0].candidate.short_id in text


def drawn(view: SearchView) -> str:
    console = Console(width=140, force_terminal=False)
    with console.capture() as capture:
        console.print(view.drawing())
    return capture.get()


def test_while_it_searches_what_is_left_follows_the_pace() -> None:
    study = study_of("predicted")
    assert dict(progress_lines(STATUS, study))["pace"].endswith(
        "an hour, 2 min left, then repeated trainings"
    )
    nothing = replace(STATUS, fresh=0)
    assert "unknown time left" in dict(progress_lines(nothing, study))["pace"]
    alone = replace(study, search=replace(study.search, final_seeds=0))
    assert dict(progress_lines(STATUS, alone))["pace"].endswith("2 min left")


@pytest.mark.parametrize(
    ("finals", "workers", "seconds", "left"),
    [
        (0, 1, [50.0, 70.0], "0 of 6 repeated trainings, 6 min left"),
        (5, 1, [60.0], "5 of 6 repeated trainings, 60 s left"),
        (1, 2, [30.0], "1 of 6 repeated trainings, 2 min left"),
        (2, 4, [30.0], "2 of 6 repeated trainings, 30 s left"),
        (0, 1, [], "0 of 6 repeated trainings, unknown time left"),
        (6, 1, [], "6 of 6 repeated trainings, 0 s left"),
    ],
)
def test_of_final_trainings_what_is_left_follows_the_trainings(
    finals: int, workers: int, seconds: list[float], left: str
) -> None:
    study = study_of("predicted", workers=workers)
    status = replace(STATUS, records=24, finals=finals, finals_wanted=6)
    lines = dict(progress_lines(status, study, seconds))
    assert lines["front"] == left
    assert "pace" not in lines


def test_a_view_that_goes_on_knows_how_long_trainings_take(found: StudyResults) -> None:
    def lasting(final: FinalTraining, seconds: float) -> FinalTraining:
        return replace(final, training=replace(final.training, seconds=seconds))

    view = SearchView(study_of("predicted", workers=1))
    view.began((), (lasting(found.finals[0], 40.0),))
    view.status(replace(STATUS, records=24, fresh=0, finals=1, finals_wanted=2))
    assert "1 of 2 repeated trainings, 40 s left" in drawn(view)
    view.status(replace(STATUS, records=24, fresh=0, finals=2, finals_wanted=3))
    view.final(lasting(found.finals[1], 20.0))
    assert "2 of 3 repeated trainings, 20 s left" in drawn(view)


def test_the_board_is_told_of_from_the_start_where_there_is_one() -> None:
    resting = replace(STATUS, board_seconds=0.0, fits=0)
    assert dict(progress_lines(resting, study_of("predicted")))["board"].startswith("0 % busy")
    assert dict(progress_lines(resting, study_of("measured")))["board"] == "0 % busy"
    assert "board" not in dict(progress_lines(resting, study_of("macs")))


def test_what_errors_and_files_say_is_no_markup(
    found: StudyResults, capsys: pytest.CaptureFixture[str]
) -> None:
    study = replace(study_of("predicted"), name="a [red]name")
    view = SearchView(study)
    view.note("lost the board [/dev/ttyACM0]")
    assert "lost the board [/dev/ttyACM0]" in drawn(view)
    assert "a [red]name" in drawn(view)
    print_search(study, found)
    assert "a [red]name" in capsys.readouterr().out


def test_every_candidate_is_told_in_lines(
    found: StudyResults, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = SearchLines(study_of("predicted"))
    for record in found.records:
        lines.record(record)
    told = capsys.readouterr().err
    trained = [record for record in found.records if record.training is not None]
    assert told.count("complete") == len(trained)
    assert "infeasible without training" in told


def test_the_table_names_the_provenance(
    found: StudyResults, capsys: pytest.CaptureFixture[str]
) -> None:
    print_search(study_of("predicted"), found)
    table = capsys.readouterr().out
    for record in found.feasible:
        assert record.candidate.short_id in table
    assert "emulated" in table
    assert "measured" not in table
    print_search_json(study_of("predicted"), found)
    printed = json.loads(capsys.readouterr().out)
    assert len(printed["front"]) == len(found.front)
    assert {entry["latency_provenance"] for entry in printed["front"]} <= {"emulated", "predicted"}


def test_the_table_tells_of_seeds_that_diverged(
    found: StudyResults, capsys: pytest.CaptureFixture[str]
) -> None:
    record, *_ = found.feasible
    training = replace(found.finals_of(record)[0].training, test_error=0.022)
    well = FinalTraining(record.candidate.sha256, training)
    other = replace(well, training=replace(training, test_error=0.024))
    lost = replace(well, training=replace(training, test_error=None), cause="diverged")
    for finals, told in (
        ((well, other), "2.30 ± 0.14 % (2)"),
        ((well, lost, other), "2.30 ± 0.14 % (2 of 3, 1 diverged)"),
        ((well, lost), "2.20 % (1 of 2, 1 diverged)"),
        ((well,), "2.20 %"),
        ((lost,), "(0 of 1, 1 diverged)"),
    ):
        one = replace(found, records=(record,), finals=finals)
        print_search(study_of("predicted"), one)
        assert told in " ".join(capsys.readouterr().out.split())
        print_search_json(study_of("predicted"), one)
        (entry,) = json.loads(capsys.readouterr().out)["front"]
        assert entry["diverged_again"] == finals.count(lost)
    SearchLines(study_of("predicted")).final(lost)
    assert f"seed {training.seed}, diverged" in capsys.readouterr().err


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(["search", *arguments])
    assert end.value.code == 1
    lines = capsys.readouterr().err.strip().splitlines()
    return lines[-1]


def test_wrong_wishes_are_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    study = tmp_path / "some.toml"
    study.write_text(study_of("predicted").to_toml())
    assert "'mode' is 'guessed'" in refused(capsys, str(study), "--latency", "guessed")
    message = refused(capsys, str(study))
    assert "unas-hil calibrate --board f746" in message
    assert "--latency measured" in message
    assert "cannot read the study" in refused(capsys, "no.toml")


def test_a_name_without_its_folder_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "small.toml").write_text(study_of().to_toml())
    for word in ("small", "small.toml"):
        assert refused(capsys, word).endswith("there is configs/small.toml")
        assert refused(capsys, f"configs/{word.removesuffix('.toml')}").endswith("small.toml")
