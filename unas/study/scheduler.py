# SPDX-License-Identifier: Apache-2.0
"""Drives evaluations: hands their requests to executors, and goes on when a result is there."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from unas.artifact import Flatbuffer
from unas.errors import UnasError
from unas.record import Measurement
from unas.study.requests import (
    Executors,
    MeasurementRequest,
    Request,
    Result,
    ResultFuture,
    TrainingRequest,
)

_TICK_SECONDS = 0.2  # a bounded wait lets Ctrl-C through
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class Job(Generic[_T]):
    """An evaluation in flight.

    Attributes:
        evaluation: The coroutine: yields requests, is sent their results or thrown their errors.
        index: Of the candidate's record.
        repeat: 0 in the search; n for the n-th training of the candidate after it.
        future: What the evaluation returned, or the ``UnasError`` that ended it.
    """

    evaluation: Generator[Request, Result, _T]
    index: int
    repeat: int = 0
    future: Future[_T] = field(default_factory=Future)


class Scheduler(Generic[_T]):
    """All evaluations in flight. Only one thread may use it."""

    def __init__(self, executors: Executors) -> None:
        self._executors = executors
        self._waiting: dict[ResultFuture, tuple[Job[_T], Request]] = {}
        self._finished: deque[Job[_T]] = deque()

    @property
    def in_flight(self) -> int:
        """Jobs that were started and not yet handed out by ``next_finished``."""
        return len(self._waiting) + len(self._finished)

    @property
    def waiting(self) -> dict[int, str]:
        """What each job waits for, "training" or "board", by its record's index."""
        return {
            job.index: "training" if isinstance(request, TrainingRequest) else "board"
            for job, request in self._waiting.values()
        }

    @property
    def board_seconds(self) -> float:
        """Wall-clock time that the board was at work."""
        board = self._executors.board
        return board.busy_seconds if board is not None else 0.0

    def start(self, job: Job[_T]) -> None:
        """Run a job up to its first request."""
        self._advance(job, lambda: next(job.evaluation))

    def next_finished(self) -> Job[_T] | None:
        """A job that came to its end; waits a moment for one.

        Returns:
            None if there is none yet: look after other things and call again.
        """
        if not self._finished and self._waiting:
            futures: list[Future[Any]] = list(self._waiting)
            wait(futures, timeout=_TICK_SECONDS, return_when=FIRST_COMPLETED)
            first = next((future for future in self._waiting if future.done()), None)
            if first is not None:
                self._resume(first)
        return self._finished.popleft() if self._finished else None

    def _resume(self, done: ResultFuture) -> None:
        job, _ = self._waiting.pop(done)
        error = done.exception()
        if error is None:
            self._advance(job, lambda: job.evaluation.send(done.result()))
        else:
            self._advance(job, lambda: job.evaluation.throw(error))

    def _advance(self, job: Job[_T], step: Callable[[], Request]) -> None:
        try:
            request = step()
        except StopIteration as end:
            job.future.set_result(end.value)
        except UnasError as error:
            job.future.set_exception(error)
        else:
            self._waiting[self._executors.submit(request)] = job, request
            return
        self._finished.append(job)


_Request = TypeVar("_Request")
_Result = TypeVar("_Result")

Measure = Callable[[Flatbuffer], Measurement]
"""Times one network; raises a ``UnasError`` if it cannot."""


class ThreadExecutor(Generic[_Request, _Result]):
    """One daemon thread for each handler, from the first request on; all are fed from one queue.

    ``ThreadPoolExecutor`` would wait at the program's end for a board that hangs.
    """

    def __init__(
        self, handlers: Sequence[Callable[[_Request], _Result]], *, name: str, join_seconds: float
    ) -> None:
        """An executor without threads yet.

        Args:
            handlers: Each works on one request at a time, always in the same thread.
            name: Of the threads.
            join_seconds: How long ``close`` waits for each of them.
        """
        self._queue: queue.SimpleQueue[tuple[_Request, Future[_Result]] | None]
        self._queue, self._lock = queue.SimpleQueue(), threading.Lock()
        self._closed, self._busy, self._join_seconds = False, 0.0, join_seconds
        self._threads = [
            threading.Thread(target=self._serve, args=(one,), name=f"{name}-{i}", daemon=True)
            for i, one in enumerate(handlers)
        ]
        self._started = False

    @property
    def busy_seconds(self) -> float:
        """Wall-clock time spent on requests so far, summed over the threads."""
        return self._busy

    def submit(self, request: _Request) -> Future[_Result]:
        """Work on it when a thread is free; a request that comes after ``close`` is cancelled."""
        future: Future[_Result] = Future()
        with self._lock:
            if self._closed:
                future.cancel()
                return future
            self._queue.put((request, future))
            if not self._started:
                self._started = True
                for thread in self._threads:
                    thread.start()
        return future

    def close(self) -> None:
        """Cancel what waits, and wait a little for what is being worked on."""
        with self._lock:
            self._closed = True
            with contextlib.suppress(queue.Empty):
                while True:
                    entry = self._queue.get_nowait()
                    if entry is not None:
                        entry[1].cancel()
            for _ in self._threads:
                self._queue.put(None)
        for thread in self._threads if self._started else ():
            thread.join(self._join_seconds)

    def _serve(self, handler: Callable[[_Request], _Result]) -> None:
        while (entry := self._queue.get()) is not None:
            request, future = entry
            if not future.set_running_or_notify_cancel():
                continue
            began = time.monotonic()
            try:
                result = handler(request)
            except BaseException as error:  # a thread that ends silently would hang the study
                future.set_exception(error)
            else:
                future.set_result(result)
            with self._lock:
                self._busy += time.monotonic() - began


def board_executor(measure: Measure) -> ThreadExecutor[MeasurementRequest, Measurement]:
    """Measures networks one after the other: a board is one, so one thread."""
    return ThreadExecutor([lambda request: measure(request.model)], name="board", join_seconds=20.0)
