# SPDX-License-Identifier: Apache-2.0
"""Training processes that die, and studies that are killed."""

from __future__ import annotations

import errno
import multiprocessing
import os
import queue
import random
import signal
import time
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
from unas.study.requests import AskTraining, TrainingAnswer
from unas.study.run import Plan, run_study
from unas.study.scheduler import Answered, Answers
from unas.study.training import Trainer
from unas.study.training_worker import WorkerPool
from unas.testing.study import FakeBoard, InlineTrainings


@dataclass(frozen=True, slots=True)
class ShyTraining:
    """Cannot begin."""

    def open(self) -> Trainer:
        raise DataError("no data set; put one there")


@dataclass(frozen=True, slots=True)
class TellingTraining:
    """Each process tells its number as the seed of the result."""

    def open(self) -> Trainer:
        return Telling()


class Telling:
    def train(self, job: AskTraining) -> TrainingAnswer:
        return TrainingAnswer(TrainingResult(os.getpid(), 1, 0, None, None, 0.5, None), "no")


def a_job() -> AskTraining:
    return AskTraining(Candidate(find_space("mlp").random(np.random.default_rng(0))), 1)


def next_answer(answers: Answers) -> Answered:
    return answers.get(timeout=60)


def test_a_process_that_dies_is_a_failed_record_and_another_takes_its_place(
    tmp_path: Path,
) -> None:
    study = study_of(rounds=14, workers=2, final_seeds=0)
    plan = plan_of(
        study,
        tmp_path,
        trainings=WorkerPool,
        training=lambda fake: replace(fake, dies_at="0123", fails_at="4"),
    )
    found = run_study(plan)
    assert {record.index for record in found.records} == set(range(14))
    by_ending: dict[str, list[Record]] = {}
    for record in found.records:
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


def test_what_a_process_refuses_is_told(tmp_path: Path) -> None:
    answers: Answers = queue.SimpleQueue()
    pool = WorkerPool(ShyTraining(), 1, answers)
    try:
        for ticket in (1,):
            pool.submit(ticket, a_job())
            told = next_answer(answers)
            assert told.ticket == ticket
            assert isinstance(told.answer, WorkerError)
            assert str(told.answer) == "no data set; put one there"
    finally:
        pool.close()


def test_processes_are_renewed() -> None:
    answers: Answers = queue.SimpleQueue()
    pool = WorkerPool(TellingTraining(), 1, answers, renew_after=2)
    pids = []
    try:
        for ticket in range(4):
            pool.submit(ticket, a_job())
            answer = next_answer(answers).answer
            assert isinstance(answer, TrainingAnswer)
            pids.append(answer.result.seed)
    finally:
        pool.close()
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
    answers: Answers = queue.SimpleQueue()
    pool = WorkerPool(TellingTraining(), 1, answers, renew_after=1)
    try:
        told = []
        for ticket in range(3):
            pool.submit(ticket, a_job())
            told.append(next_answer(answers).answer)
    finally:
        pool.close()
    assert isinstance(told[0], TrainingAnswer)
    assert isinstance(told[1], WorkerError)
    assert "cannot begin a training process" in str(told[1])
    assert "--workers" in str(told[1])
    assert isinstance(told[2], TrainingAnswer)


class SlowTrainings(InlineTrainings):
    """Leaves time to be killed in."""

    def submit(self, ticket: int, job: AskTraining) -> None:
        time.sleep(0.03)
        super().submit(ticket, job)


def plan_in(folder: Path) -> Plan:
    return plan_of(
        study_of("predicted", rounds=16, final_seeds=1),
        folder,
        board=FakeBoard(),
        calibrated=calibrated(),
        trainings=SlowTrainings,
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
