# SPDX-License-Identifier: Apache-2.0
"""Puts a study together and runs it.

Ask, judge, tell, until the study is done; then train the front again.
"""

from __future__ import annotations

import contextlib
import os
import queue
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unas.config import LatencyMode, StudyConfig
from unas.errors import UnasError, WorkerError
from unas.record import FinalTraining, Outcome, Record, Stage
from unas.search.catalogue import make_strategy
from unas.search.progress import training_of
from unas.search.strategy import Strategy
from unas.space.catalogue import Space, find_space
from unas.store.journal import Journal
from unas.store.measurements import MeasurementLog
from unas.store.study_folder import JOURNAL, MEASUREMENTS, NETWORKS
from unas.study.board_worker import BoardWorker, Measure
from unas.study.context import EvaluationContext
from unas.study.evaluation import Evaluator
from unas.study.front import Front, front_of
from unas.study.observer import NullObserver, Status, StudyObserver
from unas.study.predictor import Calibrated, Predictor
from unas.study.results_folder import write_description
from unas.study.scheduler import Answers, Engine, Executors, Job, Trainings
from unas.study.state import StudyState
from unas.study.training import KerasTraining, Training
from unas.study.training_worker import WorkerPool

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
        environment: What ``unas.study.results_folder.described`` says.
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


def run_study(plan: Plan, watcher: StudyObserver | None = None) -> Found:
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
    study, watcher = plan.study, watcher or NullObserver()
    space = _space(plan)
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(Journal(plan.folder / JOURNAL, study, resume=plan.resume))
        goes_on = bool(journal.content.records)
        write_description(plan.folder, study, plan.environment, goes_on=goes_on)
        front = Front(study, plan.folder / NETWORKS)
        calibrated = None if study.latency.mode is LatencyMode.MACS else plan.calibrated
        predictor = None if calibrated is None else Predictor(calibrated, seed=study.search.seed)
        findings = MeasurementLog(plan.folder / MEASUREMENTS, journal.content)
        memory = StudyState(journal, findings, front, predictor)
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


def _run(
    plan: Plan, space: Space, desk: Executors, memory: StudyState, watcher: StudyObserver
) -> None:
    study, search = plan.study, plan.study.search
    judge = Evaluator(
        EvaluationContext(
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


def _desk(plan: Plan, front: Front) -> Executors:
    workers = plan.study.search.workers
    answers: Answers = queue.SimpleQueue()
    threads = max(1, (os.cpu_count() or 1) // workers)
    if plan.training is not None:
        training = plan.training(front.room, threads)
    else:
        training = KerasTraining(plan.study.to_toml(), str(front.room), threads)
    board = None if plan.measure is None else BoardWorker(plan.measure, answers)
    return Executors(plan.trainings(training, workers, answers), board, answers)


# One broken board or data set must not turn thousands of candidates into FAILED records.
_FAILED_IN_A_ROW = 10
_CHEAP = (Stage.RESOURCES, Stage.PREDICTION, Stage.EXPORT)
_REPEATED_IN_A_ROW = 200


class Loop:
    """One run of a study. It takes the study up where its memory ends."""

    def __init__(
        self,
        judge: Evaluator,
        strategy: Strategy,
        desk: Executors,
        memory: StudyState,
        watcher: StudyObserver,
    ) -> None:
        """Tell the strategy what is known.

        Args:
            judge: Judges candidates.
            strategy: Fresh.
            desk: Answers requests.
            memory: With all of an earlier run recalled.
            watcher: Is told what happens.
        """
        self._judge, self._strategy, self._desk = judge, strategy, desk
        self._memory, self._watcher = memory, watcher
        self._began = time.monotonic()
        self._failed = self._repeated = self._fresh = self._finals_wanted = 0
        self._trainings = {training_of(record) for record in memory.records} - {None}
        self._by_genes: dict[str, Record] = {}
        for record in memory.records:
            strategy.tell(record)
            self._by_genes.setdefault(record.candidate.sha256, record)
        watcher.began(tuple(memory.records), tuple(memory.finals))

    def search(self, rounds: int, trainings: int | None, at_once: int) -> None:
        """Judge candidates until there are so many records, or so many trained ones.

        Args:
            rounds: Records.
            trainings: Trainings, those of an earlier run included; None for no such end.
            at_once: Candidates in flight; with 1 a study is reproducible to the last record.

        Raises:
            WorkerError: Too many candidates failed in a row.
        """
        engine: Engine[Record] = Engine(self._desk)
        while True:
            while engine.in_flight < at_once and self._wants_more(
                rounds, trainings, engine.in_flight
            ):
                self._ask(engine)
            if not engine.in_flight:
                return
            finished = engine.finished()
            if finished is not None:
                case, result = finished
                if isinstance(result, UnasError):
                    raise result
                self._tell(case, result)
            self._report(engine)

    def train_again(self, records: Sequence[Record], seeds: int, at_once: int) -> None:
        """Train candidates anew with other seeds; what an earlier run did is not done again.

        A training that diverged is a result. One that failed, by a process that died or a board
        that is gone, is none: a note tells of it, and the next run trains it again.

        Args:
            records: Whose candidates.
            seeds: Trainings of each.
            at_once: Trainings in flight.
        """
        finals = self._memory.finals
        done = {(final.candidate_sha256, final.training.seed) for final in finals}
        jobs = [
            (record, again)
            for again in range(1, seeds + 1)
            for record in records
            if (record.candidate.sha256, self._judge.seed_of(record, again)) not in done
        ]
        self._finals_wanted = len(jobs) + len(finals)
        engine: Engine[FinalTraining] = Engine(self._desk)
        while jobs or engine.in_flight:
            while jobs and engine.in_flight < at_once:
                record, again = jobs.pop(0)
                engine.start(Job(self._judge.judge_again(record, again), record.index, again))
            finished = engine.finished()
            if finished is not None:
                self._keep_final(*finished)
            self._report(engine)

    def _wants_more(self, rounds: int, trainings: int | None, in_flight: int) -> bool:
        if self._repeated >= _REPEATED_IN_A_ROW or len(self._memory.records) + in_flight >= rounds:
            return False
        return trainings is None or len(self._trainings) + in_flight < trainings

    def _ask(self, engine: Engine[Record]) -> None:
        proposal = self._strategy.ask()
        known = self._by_genes.get(proposal.candidate.sha256) if proposal.repeated else None
        self._repeated = self._repeated + 1 if proposal.repeated else 0
        if self._repeated == _REPEATED_IN_A_ROW:
            self._watcher.note(f"no new candidate in {self._repeated} proposals: that was all")
        case = Job(self._judge.judge(proposal), proposal.index)
        if known is None:
            engine.start(case)
        else:  # genes decide everything but chance: what is known of them holds
            self._tell(case, replace(known, index=proposal.index, seconds={}))

    def _tell(self, case: Job[Record], record: Record) -> None:
        self._memory.keep(record, case)
        self._strategy.tell(record)
        self._by_genes.setdefault(record.candidate.sha256, record)
        self._fresh += 1
        self._trainings |= {training_of(record)} - {None}
        if record.outcome is Outcome.FAILED:
            self._failed += 1
        elif record.stage not in _CHEAP:  # what never came to board or training says nothing of it
            self._failed = 0
        self._watcher.record(record)
        if self._failed >= _FAILED_IN_A_ROW:
            raise WorkerError(
                f"{self._failed} candidates in a row failed, the last one in stage {record.stage}: "
                f"{record.cause}; mend that and go on with --resume",
                str(record.stage),
            )

    def _keep_final(self, case: Job[FinalTraining], result: FinalTraining | UnasError) -> None:
        if isinstance(result, FinalTraining):
            self._memory.keep_final(result, case)
            self._watcher.final(result)
        else:
            self._watcher.note(f"training {case.again} of candidate {case.index} again: {result}")

    def _report(self, engine: Engine[Record] | Engine[FinalTraining]) -> None:
        predictor = self._memory.predictor
        self._watcher.status(
            Status(
                records=len(self._memory.records),
                fresh=self._fresh,
                trainings=len(self._trainings),
                finals=len(self._memory.finals),
                finals_wanted=self._finals_wanted,
                seconds=time.monotonic() - self._began,
                board_seconds=engine.board_seconds,
                open=engine.waiting,
                fits=predictor.fitted_again if predictor else 0,
            )
        )
