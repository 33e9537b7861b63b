# SPDX-License-Identifier: Apache-2.0
"""Ask, judge, tell, until the study is done; then train the front again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from unas.errors import UnasError, WorkerError
from unas.evaluate.judge import Judge
from unas.record import FinalTraining, Outcome, Record, Stage
from unas.search.progress import training_of
from unas.search.strategy import Strategy
from unas.study.engine import Case, Desk, Engine
from unas.study.memory import Memory
from unas.study.watch import Status, Watcher

# One broken board or data set must not turn thousands of candidates into FAILED records.
_FAILED_IN_A_ROW = 10
_CHEAP = (Stage.RESOURCES, Stage.PREDICTION, Stage.EXPORT)
_REPEATED_IN_A_ROW = 200


class Loop:
    """One run of a study. It takes the study up where its memory ends."""

    def __init__(
        self, judge: Judge, strategy: Strategy, desk: Desk, memory: Memory, watcher: Watcher
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
                engine.start(Case(self._judge.judge_again(record, again), record.index, again))
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
        case = Case(self._judge.judge(proposal), proposal.index)
        if known is None:
            engine.start(case)
        else:  # genes decide everything but chance: what is known of them holds
            self._tell(case, replace(known, index=proposal.index, seconds={}))

    def _tell(self, case: Case[Record], record: Record) -> None:
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

    def _keep_final(self, case: Case[FinalTraining], result: FinalTraining | UnasError) -> None:
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
