# SPDX-License-Identifier: Apache-2.0
"""Training processes that die, and studies that are killed."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import signal
import time
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pytest

from tests.study_cases import calibrated, plan_of, study_of
from tests.study_example import timeless
from unas.candidate import Candidate
from unas.errors import DataError, WorkerError
from unas.record import Outcome, Record, Stage, TrainingResult
from unas.space.catalogue import find_space
from unas.store.measurements import read_findings
from unas.study.requests import TrainingOutput, TrainingRequest
from unas.study.run import run_study
from unas.study.scheduler import ThreadExecutor
from unas.study.setup import StudyPlan
from unas.study.training import CandidateTrainer
from unas.study.training_worker import TrainingProcesses
from unas.testing.study import FakeBoard, InlineTraining

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class ShyTraining:
    """Cannot begin."""

    def open(self) -> CandidateTrainer:
        raise DataError("no data set; put one there")


@dataclass(frozen=True, slots=True)
class TellingTraining:
    """Each process tells its number as the seed of the result."""

    def open(self) -> CandidateTrainer:
        return Telling()


class Telling:
    def train(self, request: TrainingRequest) -> TrainingOutput:
        return TrainingOutput(TrainingResult(os.getpid(), 1, 0, None, None, 0.5, None), "no")


def a_request() -> TrainingRequest:
    return TrainingRequest(Candidate(find_space("mlp").random(np.random.default_rng(0))), 1)


def test_a_process_that_dies_is_a_failed_record_and_another_takes_its_place(
    tmp_path: Path,
) -> None:
    study = study_of(rounds=14, workers=2, final_seeds=0)
    plan = plan_of(
        study,
        tmp_path,
        training_executor=TrainingProcesses,
        training=lambda fake: replace(fake, dies_at="0123", fails_at="4"),
    )
    results = run_study(plan)
    assert {record.index for record in results.records} == set(range(14))
    by_ending: dict[str, list[Record]] = {}
    for record in results.records:
        if record.stage not in (Stage.RESOURCES, Stage.PREDICTION):
            by_ending.setdefault(record.candidate.short_id[-1], []).append(record)
    killed = [record for ending in "0123" for record in by_ending.pop(ending, [])]
    refused = by_ending.pop("4", [])
    assert killed
    for record in killed:
        assert (record.outcome, record.stage) == (Outcome.FAILED, Stage.TRAINING)
        assert "SIGKILL" in (record.cause or "")
    assert {(r.outcome, r.stage) for r in refused} <= {(Outcome.FAILED, Stage.CONVERSION)}
    others = [record for records in by_ending.values() for record in records]
    assert {record.outcome for record in others} == {Outcome.COMPLETE}


def test_what_a_process_refuses_is_the_error_of_the_request() -> None:
    processes = TrainingProcesses(ShyTraining(), 1)
    try:
        for _ in range(2):  # the second one begins another process
            with pytest.raises(WorkerError, match=r"^no data set; put one there$"):
                processes.submit(a_request()).result(timeout=60)
    finally:
        processes.close()


def test_processes_are_renewed() -> None:
    processes = TrainingProcesses(TellingTraining(), 1, renew_after=2)
    try:
        outputs = [processes.submit(a_request()).result(timeout=60) for _ in range(4)]
    finally:
        processes.close()
    pids = [output.result.seed for output in outputs]
    assert pids[0] == pids[1] != pids[2] == pids[3]
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_process_that_cannot_begin_costs_one_training(monkeypatch: pytest.MonkeyPatch) -> None:
    begin, begun = SpawnProcess.start, []

    def start(process: SpawnProcess) -> None:
        begun.append(process)
        if len(begun) == 2:  # the first renewal
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        begin(process)

    monkeypatch.setattr(SpawnProcess, "start", start)
    processes = TrainingProcesses(TellingTraining(), 1, renew_after=1)
    try:
        first, second, third = (processes.submit(a_request()) for _ in range(3))
        assert first.result(timeout=60).result.epochs == 1
        with pytest.raises(WorkerError, match=r"cannot begin a training process.*--workers"):
            second.result(timeout=60)
        assert third.result(timeout=60).result.epochs == 1
    finally:
        processes.close()


@dataclass(frozen=True, slots=True)
class EndlessTraining:
    """Never comes to an end."""

    def open(self) -> CandidateTrainer:
        return Endless()


class Endless:
    def train(self, request: TrainingRequest) -> TrainingOutput:
        time.sleep(600)
        raise AssertionError


def test_nobody_waits_for_a_request_after_the_end() -> None:
    """Neither for the one that was at work, nor for those that waited, nor for one that is late."""
    processes = TrainingProcesses(EndlessTraining(), 1)
    try:
        working, waiting = processes.submit(a_request()), processes.submit(a_request())
        time.sleep(0.5)
    finally:
        processes.close()
    late = processes.submit(a_request())
    with pytest.raises(WorkerError):
        working.result(timeout=10)
    for future in (waiting, late):
        with pytest.raises((CancelledError, WorkerError)):
            future.result(timeout=10)


def test_a_bug_in_a_thread_is_an_error_of_its_request_and_the_thread_goes_on() -> None:
    def handler(number: int) -> int:
        if number == 1:
            raise SystemExit("no")
        return 10 * number

    executor = ThreadExecutor([handler], name="test", join_seconds=5.0)
    try:
        futures = [executor.submit(number) for number in range(3)]
        assert (futures[0].result(timeout=10), futures[2].result(timeout=10)) == (0, 20)
        with pytest.raises(SystemExit):
            futures[1].result(timeout=10)
    finally:
        executor.close()


class SlowTraining(InlineTraining):
    """Leaves time to be killed in."""

    def submit(self, request: TrainingRequest) -> Future[TrainingOutput]:
        time.sleep(0.03)
        return super().submit(request)


def plan_in(folder: Path) -> StudyPlan:
    return plan_of(
        study_of("predicted", rounds=16, final_seeds=1),
        folder,
        board=FakeBoard(),
        calibrated=calibrated(),
        training_executor=SlowTraining,
        resume=True,
    )


def search_in(folder: str, begun: Event) -> None:
    """A study in a process of its own."""
    plan = plan_in(Path(folder))
    begun.set()
    run_study(plan)


def test_a_study_that_is_killed_again_and_again_comes_to_the_same_end(tmp_path: Path) -> None:
    whole = run_study(plan_in(tmp_path / "whole"))
    chance, context = random.Random(4), multiprocessing.get_context("spawn")
    folder = tmp_path / "killed"
    kills = 0
    for _ in range(2):
        begun = context.Event()
        process = context.Process(target=search_in, args=(str(folder), begun))
        process.start()
        assert begun.wait(60)
        process.join(chance.uniform(0.05, 0.9))
        if process.is_alive():
            os.kill(process.pid or 0, signal.SIGKILL)
            kills += 1
        process.join()
    assert kills
    survived = run_study(plan_in(folder))
    assert list(map(timeless, survived.records)) == list(map(timeless, whole.records))
    assert survived.finals == whole.finals
    assert kept(folder) == kept(tmp_path / "whole")
    assert read_findings(folder / "measurements.jsonl") == read_findings(
        tmp_path / "whole" / "measurements.jsonl"
    )


def kept(folder: Path) -> dict[str, bytes]:
    networks = (folder / "networks").iterdir()
    return {network.name: (network / "model.tflite").read_bytes() for network in networks}
