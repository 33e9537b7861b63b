# SPDX-License-Identifier: Apache-2.0
"""Whole studies with made-up training and board."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.study_cases import CLASSES, SHAPE, calibrated, plan_of, run_in, study_of
from tests.study_example import timeless
from unas.artifact import Flatbuffer
from unas.config import SpaceConfig
from unas.constraints import Constraints
from unas.errors import StoreError, WorkerError
from unas.record import Measurement, Outcome, Record, Stage
from unas.resources.estimate import estimate
from unas.space.catalogue import find_space
from unas.store.journal import read_journal
from unas.store.measurements import read_findings
from unas.store.study_folder import StudyResults, read_study
from unas.strategies.progress import trainings
from unas.study.context import evenly_kept, exported, pruned_to
from unas.study.front import front_of
from unas.study.predictor import REFIT_EVERY
from unas.study.run import run_study
from unas.study.training import TrainingSetup
from unas.testing.study import FakeBoard, FakeTraining, InlineTraining

MODES = ("macs", "predicted", "measured")


def without_times(results: StudyResults) -> tuple[list[Record], list[object]]:
    return [timeless(record) for record in results.records], list(results.finals)


def trained(results: StudyResults) -> list[Record]:
    return [record for record in results.records if record.outcome is Outcome.COMPLETE]


@pytest.fixture(scope="module", params=MODES)
def whole(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, StudyResults]:
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder, run_in(request.param, folder)


def test_a_study_finds_feasible_networks_and_turns_others_away(
    whole: tuple[str, Path, StudyResults],
) -> None:
    _, _, results = whole
    outcomes = {record.outcome for record in results.records}
    assert outcomes == {Outcome.COMPLETE, Outcome.INFEASIBLE}
    assert results.feasible
    assert [record.index for record in results.records] == list(range(24))


def test_equal_seeds_give_equal_journals(
    whole: tuple[str, Path, StudyResults], tmp_path: Path
) -> None:
    mode, _, results = whole
    assert without_times(run_in(mode, tmp_path)) == without_times(results)
    other = run_in(mode, tmp_path / "other", seed=1)
    assert without_times(other) != without_times(results)


def test_the_folder_holds_what_was_returned(whole: tuple[str, Path, StudyResults]) -> None:
    _, folder, results = whole
    stored = read_study(str(folder), folder.parent)
    assert stored == results
    assert (stored.front, stored.feasible) == (results.front, results.feasible)


@pytest.mark.parametrize("lines", [1, 11, 25, 27])
def test_a_cut_journal_leads_to_the_same_end(
    whole: tuple[str, Path, StudyResults], tmp_path: Path, lines: int
) -> None:
    """The header and so many records, and half a line as a kill leaves it."""
    mode, folder, results = whole
    text = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for name in ("environment.json", "measurements.jsonl"):
        if (folder / name).exists():
            (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "journal.jsonl").write_bytes(b"".join(text[:lines]) + b'{"kind":"rec')
    resumed = run_in(mode, tmp_path, resume=True)
    assert without_times(resumed) == without_times(results)
    measured = [
        [(one.index, one.seed, one.measurement) for one in read_findings(at / "measurements.jsonl")]
        for at in (tmp_path, folder)
    ]
    assert sorted(measured[0], key=str) == sorted(measured[1], key=str)


def test_a_finished_study_replays_without_board_and_training(
    whole: tuple[str, Path, StudyResults],
) -> None:
    mode, folder, results = whole
    executors: list[InlineTraining] = []

    def executor(training: TrainingSetup, count: int) -> InlineTraining:
        assert isinstance(training, FakeTraining)
        executors.append(InlineTraining(training, count))
        return executors[-1]

    board = FakeBoard()
    known = calibrated() if mode == "predicted" else None
    plan = plan_of(
        study_of(mode),
        folder,
        board=board,
        calibrated=known,
        training_executor=executor,
        resume=True,
    )
    again = run_study(plan)
    assert again == results
    assert not board.measured
    assert [one.requests for one in executors] == [0]


def test_without_resume_a_journal_is_left_alone(whole: tuple[str, Path, StudyResults]) -> None:
    mode, folder, _ = whole
    before = (folder / "journal.jsonl").read_bytes()
    with pytest.raises(StoreError, match="--resume"):
        run_in(mode, folder)
    assert (folder / "journal.jsonl").read_bytes() == before


def test_exactly_the_networks_of_the_front_are_kept(whole: tuple[str, Path, StudyResults]) -> None:
    _, folder, results = whole
    kept = {place.name for place in (folder / "networks").iterdir()}
    assert kept == {record.candidate.short_id for record in results.front}
    for record in results.front:
        data = (folder / "networks" / record.candidate.short_id / "model.tflite").read_bytes()
        assert record.training is not None
        assert hashlib.sha256(data).hexdigest() == record.training.model_sha256


def test_every_number_of_a_record_is_of_one_network(whole: tuple[str, Path, StudyResults]) -> None:
    mode, _, results = whole
    space = find_space("cnn", study_of().space.options)
    for record in results.records:
        graph = space.graph(record.candidate.architecture, SHAPE, CLASSES)
        kept = record.training.kept_channels if record.training else None
        if kept is None:
            kept = evenly_kept(graph, record.candidate.sparsity or 0.0)
        figures = estimate(exported(pruned_to(graph, kept)))
        assert record.figures is not None
        assert record.figures.macs == figures.macs
        assert record.figures.model_size_bytes == figures.model_size_bytes
        assert record.figures.peak_memory_bytes == figures.peak_memory_bytes
        assert record.values["peak_memory_bytes"] == figures.peak_memory_bytes
        if record.measurement is not None and record.training is not None:
            assert record.measurement.model_sha256 == record.training.model_sha256
        if mode == "macs":
            assert "latency_us" not in record.values
    assert any(record.unpruned != record.figures for record in trained(results))


def test_violations_are_those_of_the_final_values(whole: tuple[str, Path, StudyResults]) -> None:
    mode, _, results = whole
    bounds = study_of(mode).judged
    for record in results.records:
        assert record.violations == bounds.violations(record.values)
        if record.outcome is Outcome.INFEASIBLE:
            assert record.violations
            assert record.training is None


def test_the_front_is_trained_again(whole: tuple[str, Path, StudyResults]) -> None:
    _, _, results = whole
    wanted = {record.candidate.sha256 for record in results.feasible}
    seeds = {(final.candidate_sha256, final.training.seed) for final in results.finals}
    assert len(seeds) == len(results.finals) == 2 * len(wanted)
    assert {sha for sha, _ in seeds} == wanted
    assert not seeds & {
        (r.candidate.sha256, r.training.seed) for r in results.records if r.training is not None
    }
    for record in results.feasible:
        assert len(results.final_test_errors(record)) == 2


def test_measured_asks_the_board_about_everyone(tmp_path: Path) -> None:
    results = run_in("measured", tmp_path, final_seeds=0)
    for record in results.records:
        if record.stage is Stage.RESOURCES:
            assert record.measurement is None
        else:
            assert record.measurement is not None
            assert record.values["latency_us"] == record.measurement.latency_us


def test_predicted_asks_the_board_where_it_matters(tmp_path: Path) -> None:
    """Where the interval straddles the limit, and about what would be on the feasible front."""
    board = FakeBoard()
    study = study_of("predicted", final_seeds=0)
    results = run_study(plan_of(study, tmp_path, board=board, calibrated=calibrated()))
    done = trained(results)
    asked = [record for record in done if record.measurement is not None]
    assert 0 < len(asked) < len(done)
    assert len(board.measured) < len(done) + len(results.records) / 4
    for record in done:
        assert record.figures is not None
        assert record.figures.latency_us is not None
        if record.measurement is None:
            assert record.values["latency_us"] == record.figures.latency_us.value
    feasible = [record for record in done if record.feasible]
    for record in front_of(done, study, feasible_only=True):
        before = [other for other in feasible if other.index < record.index]
        if record in front_of([*before, record], study, feasible_only=True):
            assert record.measurement is not None


def test_what_the_board_says_refits_the_model(tmp_path: Path) -> None:
    """The board is half as fast as it was calibrated: predictions become right on the way."""
    slow, study = FakeBoard(cycles_per_mac=20.0), study_of("predicted", rounds=50, final_seeds=0)
    study = replace(study, constraints=replace(study.constraints, error=0.6, latency_us=4e4))
    results = run_study(plan_of(study, tmp_path, board=slow, calibrated=calibrated()))
    asked = [record for record in trained(results) if record.measurement is not None]
    assert len(slow.measured) >= 2 * REFIT_EVERY
    errors = [
        abs(r.figures.latency_us.value / r.measurement.latency_us - 1)
        for r in asked
        if r.figures and r.figures.latency_us and r.measurement
    ]
    assert errors[0] > 0.3
    # Equal kernels of calibration and study are one point, their mean: it learns by and by.
    assert min(errors[-4:]) < 0.8 * errors[0]


def test_a_failure_is_a_record_and_the_search_goes_on(tmp_path: Path) -> None:
    board = FakeBoard(breaks_at=frozenset({3}))
    plan = plan_of(
        study_of("measured"),
        tmp_path,
        board=board,
        training=lambda fake: replace(fake, fails_at="0", stops_at="1"),
    )
    results = run_study(plan)
    assert len(results.records) == 24
    failed = [record for record in results.records if record.outcome is Outcome.FAILED]
    (burnt,) = [record for record in failed if record.stage is Stage.BOARD]
    assert burnt.cause is not None
    assert "on fire" in burnt.cause
    assert {record.stage for record in failed} <= {Stage.BOARD, Stage.CONVERSION}
    for record in results.records:
        ending = record.candidate.short_id[-1]
        if record.stage in (Stage.TRAINING, Stage.CONVERSION):
            assert ending in "01"
        if record.stage is Stage.TRAINING:
            assert record.outcome is Outcome.STOPPED_EARLY
            assert record.training is not None
            assert "error" not in record.values


class BuggyBoard(FakeBoard):
    def measure(self, model: Flatbuffer) -> Measurement:
        if len(self.measured) == 2:
            self.measured.append(model)
            raise KeyError("no such register")
        return super().measure(model)


def test_a_bug_in_measuring_costs_one_candidate(tmp_path: Path) -> None:
    results = run_study(plan_of(study_of("measured"), tmp_path, board=BuggyBoard()))
    (failed,) = [record for record in results.records if record.outcome is Outcome.FAILED]
    assert failed.stage is Stage.BOARD
    assert (failed.cause or "").startswith("KeyError in test_study_loop.py:")
    assert (failed.cause or "").endswith("'no such register'; report it with the candidate")


def test_a_broken_board_ends_the_study_with_advice(tmp_path: Path) -> None:
    board = FakeBoard(breaks_at=frozenset(range(100)))
    with pytest.raises(WorkerError, match=r"10 candidates in a row.*on fire.*--resume"):
        run_study(plan_of(study_of("measured", rounds=60), tmp_path, board=board))
    content = read_journal(tmp_path / "journal.jsonl")
    assert sum(record.outcome is Outcome.FAILED for record in content.records) == 10


def test_the_number_of_trainings_ends_a_search(tmp_path: Path) -> None:
    results = run_in("macs", tmp_path, trainings=7, final_seeds=0)
    assert sum(record.training is not None for record in results.records) == 7
    longer = run_in("macs", tmp_path, trainings=9, final_seeds=0, resume=True)
    assert longer.records[: len(results.records)] == results.records
    assert sum(record.training is not None for record in longer.records) == 9


def test_repeats_in_a_narrow_space_are_no_trainings(tmp_path: Path) -> None:
    """It has three networks; what a fourth proposal repeats costs nothing and counts as nothing."""
    options = {"dense_layers": [1, 1], "units": [10, 12]}
    wide = Constraints(error=1.0, peak_memory_bytes=10**6)
    study = replace(
        study_of(rounds=6, trainings=4, final_seeds=0),
        space=SpaceConfig("mlp", options),
        constraints=wide,
        pruning=None,
    )
    results = run_study(plan_of(study, tmp_path))
    assert [record.training is not None for record in results.records] == [True] * 6
    assert trainings(results.records) == 3
    more = replace(study, search=replace(study.search, rounds=9))
    resumed = run_study(plan_of(more, tmp_path, resume=True))
    assert len(resumed.records) == 9
    assert trainings(resumed.records) == 3


def test_a_final_training_that_diverges_is_kept_and_not_repeated(tmp_path: Path) -> None:
    """Left out, the mean would be over the lucky seeds alone."""
    seeds = "0123"
    executors: list[InlineTraining] = []

    def executor(training: TrainingSetup, count: int) -> InlineTraining:
        executors.append(InlineTraining(training, count))
        return executors[-1]

    study = study_of(final_seeds=0)
    searched = run_study(plan_of(study, tmp_path))
    study = study_of(final_seeds=3)
    plan = plan_of(
        study,
        tmp_path,
        resume=True,
        training_executor=executor,
        training=lambda fake: replace(fake, diverges_at=seeds, stops_at="0123456789abcdef"),
    )
    results = run_study(plan)
    assert results.records == searched.records
    assert executors[-1].requests == len(results.finals) == 3 * len(results.feasible)
    lost = [final for final in results.finals if final.diverged]
    assert 0 < len(lost) < len(results.finals)
    for final in results.finals:
        assert final.diverged == (str(final.training.seed)[-1] in seeds)
        assert (final.training.test_error is None) == final.diverged
        assert bool(final.values) != final.diverged
    record = next(r for r in results.feasible if any(f.diverged for f in results.finals_of(r)))
    assert len(results.final_test_errors(record)) < len(results.finals_of(record)) == 3
    again = run_study(plan)
    assert executors[-1].requests == 0
    assert again == results


def test_another_calibration_is_noticed(tmp_path: Path) -> None:
    study = study_of("predicted", rounds=5, final_seeds=0)
    plan = plan_of(study, tmp_path, board=FakeBoard(), calibrated=calibrated())
    run_study(plan)
    other = replace(plan, resume=True, environment={"calibration": {"sha256": "another"}})
    with pytest.raises(StoreError, match="another calibration"):
        run_study(other)
