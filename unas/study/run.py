# SPDX-License-Identifier: Apache-2.0
"""Runs a study: ask, evaluate, tell, until it is done; then trains the front again."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import replace

from unas.errors import UnasError, WorkerError
from unas.record import FinalTraining, Outcome, Record, Stage
from unas.store.study_folder import StudyResults
from unas.strategies.catalogue import make_strategy
from unas.strategies.progress import training_of
from unas.strategies.strategy import Strategy
from unas.study.context import EvaluationContext
from unas.study.evaluation import Evaluated, Evaluator
from unas.study.front import Front, front_of
from unas.study.observer import NullObserver, Status, StudyObserver
from unas.study.requests import Executors
from unas.study.scheduler import Job, Scheduler, board_executor
from unas.study.setup import StudyPlan
from unas.study.state import StudyState

# One broken board or data set must not turn thousands of candidates into FAILED records.
_MAX_FAILED_IN_A_ROW = 10
_CHEAP_STAGES = (Stage.RESOURCES, Stage.PREDICTION, Stage.EXPORT)
_MAX_REPEATED_IN_A_ROW = 200


def run_study(plan: StudyPlan, observer: StudyObserver | None = None) -> StudyResults:
    """Search, then train the feasible networks of the front again.

    A study that is finished costs neither board nor training: all is in its journal.

    Args:
        plan: What to run.
        observer: Is called when something happens.

    Returns:
        What is in the folder of the results.

    Raises:
        StoreError: The journal is another study's, in use, or damaged; or the disk refuses.
        WorkerError: Too many candidates failed in a row.
    """
    study, search = plan.study, plan.study.search
    with contextlib.ExitStack() as stack:
        state = stack.enter_context(
            StudyState.open(
                study, plan.folder, plan.environment, plan.calibrated, resume=plan.resume
            )
        )
        executors = _executors(plan, state.front)
        stack.callback(executors.close)
        evaluator = Evaluator(
            EvaluationContext(
                study,
                plan.space,
                plan.input_shape,
                plan.num_classes,
                state.predictor,
                state.front.enters,
            )
        )
        strategy = make_strategy(study, plan.space)
        loop = _Loop(evaluator, strategy, executors, state, observer or NullObserver())
        # With one worker nothing overlaps, so that a study is reproducible; with several, one more
        # candidate is on its way while all of them train.
        at_once = 1 if search.workers == 1 else search.workers + 1
        loop.search(search.rounds, search.trainings, at_once)
        best = {r.candidate.sha256: r for r in front_of(state.records, study, feasible_only=True)}
        loop.repeat_trainings(list(best.values()), search.final_seeds, search.workers)
        state.front.sweep(staged=True)
        return state.results()


def _executors(plan: StudyPlan, front: Front) -> Executors:
    workers = plan.study.search.workers
    threads = max(1, (os.cpu_count() or 1) // workers)
    training = plan.training(plan.study, front.staging_dir, threads)
    board = None if plan.measure is None else board_executor(plan.measure)
    return Executors(plan.training_executor(training, workers), board)


class _Loop:
    """One run of a study. It takes the study up where its state ends."""

    def __init__(
        self,
        evaluator: Evaluator,
        strategy: Strategy,
        executors: Executors,
        state: StudyState,
        observer: StudyObserver,
    ) -> None:
        """Tell the strategy what is known.

        Args:
            evaluator: Evaluates candidates.
            strategy: Fresh.
            executors: For the requests of evaluations.
            state: With an earlier run restored.
            observer: Is called when something happens.
        """
        self._evaluator, self._strategy, self._executors = evaluator, strategy, executors
        self._state, self._observer = state, observer
        self._began = time.monotonic()
        self._failed = self._repeated = self._fresh = self._finals_wanted = 0
        self._trainings = {training_of(record) for record in state.records} - {None}
        self._by_genes: dict[str, Record] = {}
        for record in state.records:
            strategy.tell(record)
            self._by_genes.setdefault(record.candidate.sha256, record)
        observer.began(tuple(state.records), tuple(state.finals))

    def search(self, rounds: int, trainings: int | None, at_once: int) -> None:
        """Evaluate candidates until there are so many records, or so many trained ones.

        Args:
            rounds: Records.
            trainings: Trainings, those of an earlier run included; None for no such end.
            at_once: Candidates in flight; with 1 a study is reproducible to the last record.

        Raises:
            WorkerError: Too many candidates failed in a row.
        """
        scheduler: Scheduler[Evaluated[Record]] = Scheduler(self._executors)
        while True:
            while scheduler.in_flight < at_once and self._wants_more(
                rounds, trainings, scheduler.in_flight
            ):
                self._ask(scheduler)
            if not scheduler.in_flight:
                return
            job = scheduler.next_finished()
            if job is not None:
                self._tell(job.future.result())
            self._report(scheduler)

    def repeat_trainings(self, records: Sequence[Record], seeds: int, at_once: int) -> None:
        """Train candidates anew with other seeds; what an earlier run did is not done again.

        A training that diverged is a result. One that failed, by a process that died or a board
        that is gone, is none: the observer gets a note, and the next run trains it again.

        Args:
            records: Whose candidates.
            seeds: Trainings of each.
            at_once: Trainings in flight.
        """
        finals, evaluator = self._state.finals, self._evaluator
        done = {(final.candidate_sha256, final.training.seed) for final in finals}
        left = [
            (record, repeat)
            for repeat in range(1, seeds + 1)
            for record in records
            if (record.candidate.sha256, evaluator.repeat_seed(record, repeat)) not in done
        ]
        self._finals_wanted = len(left) + len(finals)
        scheduler: Scheduler[Evaluated[FinalTraining]] = Scheduler(self._executors)
        while left or scheduler.in_flight:
            while left and scheduler.in_flight < at_once:
                record, repeat = left.pop(0)
                scheduler.start(Job(evaluator.repeat(record, repeat), record.index, repeat))
            job = scheduler.next_finished()
            if job is not None:
                self._commit_final(job)
            self._report(scheduler)

    def _wants_more(self, rounds: int, trainings: int | None, in_flight: int) -> bool:
        if self._repeated >= _MAX_REPEATED_IN_A_ROW:
            return False
        if len(self._state.records) + in_flight >= rounds:
            return False
        return trainings is None or len(self._trainings) + in_flight < trainings

    def _ask(self, scheduler: Scheduler[Evaluated[Record]]) -> None:
        proposal = self._strategy.ask()
        known = self._by_genes.get(proposal.candidate.sha256) if proposal.repeated else None
        self._repeated = self._repeated + 1 if proposal.repeated else 0
        if self._repeated == _MAX_REPEATED_IN_A_ROW:
            self._observer.note(f"no new candidate in {self._repeated} proposals: that was all")
        if known is None:
            scheduler.start(Job(self._evaluator.evaluate(proposal), proposal.index))
        else:  # the same genes were evaluated before: their record is repeated under a new number
            self._tell(Evaluated(replace(known, index=proposal.index, seconds={})))

    def _tell(self, evaluated: Evaluated[Record]) -> None:
        self._state.commit(evaluated)
        record = evaluated.entry
        self._strategy.tell(record)
        self._by_genes.setdefault(record.candidate.sha256, record)
        self._fresh += 1
        self._trainings |= {training_of(record)} - {None}
        self._observer.record(record)
        self._check_failures(record)

    def _check_failures(self, record: Record) -> None:
        if record.outcome is Outcome.FAILED:
            self._failed += 1
        elif record.stage not in _CHEAP_STAGES:  # others never came to board or training
            self._failed = 0
        if self._failed >= _MAX_FAILED_IN_A_ROW:
            raise WorkerError(
                f"{self._failed} candidates in a row failed, the last one in stage {record.stage}: "
                f"{record.cause}; mend that and go on with --resume",
                str(record.stage),
            )

    def _commit_final(self, job: Job[Evaluated[FinalTraining]]) -> None:
        try:
            evaluated = job.future.result()
        except UnasError as error:
            self._observer.note(f"training {job.repeat} of candidate {job.index} again: {error}")
            return
        self._state.commit_final(evaluated)
        self._observer.final(evaluated.entry)

    def _report(
        self, scheduler: Scheduler[Evaluated[Record]] | Scheduler[Evaluated[FinalTraining]]
    ) -> None:
        predictor = self._state.predictor
        self._observer.status(
            Status(
                records=len(self._state.records),
                fresh=self._fresh,
                trainings=len(self._trainings),
                finals=len(self._state.finals),
                finals_wanted=self._finals_wanted,
                seconds=time.monotonic() - self._began,
                board_seconds=scheduler.board_seconds,
                open=scheduler.waiting,
                fits=predictor.refits if predictor else 0,
            )
        )
