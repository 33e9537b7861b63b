# SPDX-License-Identifier: Apache-2.0
"""Puts a study together and runs it."""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unas.config import LatencyMode, StudyConfig
from unas.evaluate.judge import Judge
from unas.evaluate.predictor import Calibrated, Predictor
from unas.evaluate.setting import Setting
from unas.evaluate.training import KerasTraining, Training
from unas.record import FinalTraining, Record
from unas.search.catalogue import make_strategy
from unas.space.catalogue import Space, find_space
from unas.store.findings import Findings
from unas.store.journal import Journal
from unas.store.study import JOURNAL, MEASUREMENTS, NETWORKS
from unas.study.answers import Answers, Trainings
from unas.study.desk import BoardDesk, Measure
from unas.study.engine import Desk
from unas.study.folder import write_description
from unas.study.loop import Loop
from unas.study.memory import Memory
from unas.study.networks import Front, front_of
from unas.study.watch import Silence, Watcher
from unas.study.workers import WorkerPool

MakeTrainings = Callable[[Training, int, Answers], Trainings]
"""From how to train, how many at once, and where answers go."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run of a study needs.

    Attributes:
        study: What is searched.
        folder: Its results.
        input_shape: (height, width, channels) of the data set.
        num_classes: Of the data set.
        environment: What ``unas.study.folder.described`` says.
        measure: Times a network on the board; None where no candidate needs it.
        calibrated: Models of the board; None where there are none.
        training: How candidates are trained, from the folder for fresh networks and the threads of
            each process; None: with Keras.
        trainings: Makes what trains; default: processes.
        resume: Whether an existing journal goes on.
    """

    study: StudyConfig
    folder: Path
    input_shape: tuple[int, int, int]
    num_classes: int
    environment: Mapping[str, Any]
    measure: Measure | None = None
    calibrated: Calibrated | None = None
    training: Callable[[Path, int], Training] | None = None
    trainings: MakeTrainings = WorkerPool
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a study found.

    Attributes:
        records: All, in the journal's order.
        finals: Final trainings.
        front: The records that no other dominates, by their error.
    """

    records: tuple[Record, ...]
    finals: tuple[FinalTraining, ...]
    front: tuple[Record, ...]

    @property
    def feasible(self) -> tuple[Record, ...]:
        """The front's networks that keep every bound."""
        return tuple(record for record in self.front if record.feasible)

    def finals_of(self, record: Record) -> tuple[FinalTraining, ...]:
        """The final trainings of a record's candidate."""
        wanted = record.candidate.sha256
        return tuple(final for final in self.finals if final.candidate_sha256 == wanted)

    def again(self, record: Record) -> tuple[float, ...]:
        """Test errors of a record's candidate when it was trained again and did not diverge."""
        errors = (final.training.test_error for final in self.finals_of(record))
        return tuple(error for error in errors if error is not None)


def run_study(plan: Plan, watcher: Watcher | None = None) -> Found:
    """Search, then train the networks of the front that keep every bound again.

    A study that is finished costs neither board nor training: all is in its journal.

    Args:
        plan: What to run.
        watcher: Is told what happens.

    Raises:
        ConfigError: There is no such search space, or it has no such option.
        ArchitectureError: The space has no network for the data.
        StoreError: The journal is another study's, in use, or damaged; or the disk refuses.
        WorkerError: Too many candidates failed in a row.
    """
    study, watcher = plan.study, watcher or Silence()
    space = _space(plan)
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(Journal(plan.folder / JOURNAL, study, resume=plan.resume))
        goes_on = bool(journal.content.records)
        write_description(plan.folder, study, plan.environment, goes_on=goes_on)
        front = Front(study, plan.folder / NETWORKS)
        calibrated = None if study.latency.mode is LatencyMode.MACS else plan.calibrated
        predictor = None if calibrated is None else Predictor(calibrated, seed=study.search.seed)
        findings = Findings(plan.folder / MEASUREMENTS, journal.content)
        memory = Memory(journal, findings, front, predictor)
        memory.recall()
        desk = _desk(plan, front)
        stack.callback(desk.close)
        _run(plan, space, desk, memory, watcher)
        front.sweep(fresh=True)
        return Found(tuple(memory.records), tuple(memory.finals), front.records)


def _space(plan: Plan) -> Space:
    """The search space, tried once: a journal that was begun would refuse the mended study."""
    space = find_space(plan.study.space.name, plan.study.space.options)
    space.graph(space.random(np.random.default_rng(0)), plan.input_shape, plan.num_classes)
    return space


def _run(plan: Plan, space: Space, desk: Desk, memory: Memory, watcher: Watcher) -> None:
    study, search = plan.study, plan.study.search
    judge = Judge(
        Setting(
            study,
            space,
            plan.input_shape,
            plan.num_classes,
            memory.predictor,
            memory.front.enters,
        )
    )
    loop = Loop(judge, make_strategy(study, space), desk, memory, watcher)
    # With one worker nothing overlaps, so that a study is reproducible; with several, one more
    # candidate is on its way while all of them train.
    at_once = 1 if search.workers == 1 else search.workers + 1
    loop.search(search.rounds, search.trainings, at_once)
    best = {r.candidate.sha256: r for r in front_of(memory.records, study, feasible_only=True)}
    loop.train_again(list(best.values()), search.final_seeds, search.workers)


def _desk(plan: Plan, front: Front) -> Desk:
    workers = plan.study.search.workers
    answers: Answers = queue.SimpleQueue()
    threads = max(1, (os.cpu_count() or 1) // workers)
    if plan.training is not None:
        training = plan.training(front.room, threads)
    else:
        training = KerasTraining(plan.study.to_toml(), str(front.room), threads)
    board = None if plan.measure is None else BoardDesk(plan.measure, answers)
    return Desk(plan.trainings(training, workers, answers), board, answers)
