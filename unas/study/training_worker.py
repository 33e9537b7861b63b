# SPDX-License-Identifier: Apache-2.0
"""Processes that train. One that dies takes only its candidate with it.

They are spawned, not forked: TensorFlow does not survive a fork. Jobs and answers cross as JSON.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import multiprocessing.connection
import os
import queue
import signal
import threading
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.process import BaseProcess

from unas.errors import StoreError, UnasError, WorkerError
from unas.study.requests import AskTraining, TrainingAnswer
from unas.study.scheduler import Answered, Answers
from unas.study.training import Trainer, Training

RENEW_AFTER = 50
"""Trainings of one process: what TensorFlow does not give back goes with it."""

_END_SECONDS = 5.0


class WorkerPool:
    """Processes that train, each with a thread here that waits for it."""

    def __init__(
        self, training: Training, count: int, answers: Answers, *, renew_after: int = RENEW_AFTER
    ) -> None:
        """Start the threads; processes begin with their first job.

        Args:
            training: What a process opens.
            count: Processes.
            answers: Where answers go.
            renew_after: Trainings of one process before another takes its place.
        """
        self._training, self._answers, self._renew_after = training, answers, renew_after
        self._jobs: queue.SimpleQueue[tuple[int, AskTraining] | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._workers: list[_Worker] = []
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._serve, name=f"training-{i}", daemon=True)
            for i in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, ticket: int, job: AskTraining) -> None:
        """Train it in the next free process."""
        self._jobs.put((ticket, job))

    def close(self) -> None:
        """End all processes, whatever they are at."""
        self._closed.set()
        with self._lock:
            for worker in self._workers:
                worker.kill()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(_END_SECONDS)

    def _serve(self) -> None:
        # Ctrl-C is the loop's business; a spawned process inherits what this thread blocks.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        worker: _Worker | None = None
        while (entry := self._jobs.get()) is not None and not self._closed.is_set():
            ticket, job = entry
            try:
                if worker is not None and worker.done >= self._renew_after:
                    # Let go of it first: where the next one cannot begin, it is not there to end.
                    old, worker = worker, None
                    self._forget(old)
                worker = worker or self._begun()
                self._answers.put(Answered(ticket, worker.train(job)))
            except Exception as error:  # a thread that dies silently would hang the loop
                if worker is not None and not worker.alive:
                    self._forget(worker)
                    worker = None
                told = error if isinstance(error, UnasError) else _foreign(error)
                self._answers.put(Answered(ticket, told))
        if worker is not None:
            self._forget(worker)

    def _begun(self) -> _Worker:
        with self._lock:
            if self._closed.is_set():
                raise WorkerError("the study is being ended; go on with --resume")
            try:
                worker = _Worker(self._training)
            except OSError as error:
                raise WorkerError(
                    f"cannot begin a training process: {error.strerror or error}; "
                    "train with fewer --workers, or end other programs"
                ) from error
            self._workers.append(worker)
        return worker

    def _forget(self, worker: _Worker) -> None:
        worker.kill()
        with self._lock:
            self._workers.remove(worker)


class _Worker:
    """One process and the line to it."""

    def __init__(self, training: Training) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(
            target=_work, args=(theirs, training), name="unas-training", daemon=True
        )
        self._process.start()
        theirs.close()
        self._opened = False
        self.done = 0

    @property
    def alive(self) -> bool:
        """Whether it can be given another job."""
        return self._process.is_alive() and self._opened

    def train(self, job: AskTraining) -> TrainingAnswer:
        """Train, and wait for it.

        Raises:
            WorkerError: The process died, or says what failed.
        """
        if not self._opened:
            self._receive()
            self._opened = True
        try:
            self._line.send_bytes(job.to_json().encode())
        except OSError as error:
            raise self._lost() from error
        data = self._receive()
        self.done += 1
        try:
            return TrainingAnswer.from_json_dict(data)
        except StoreError as error:
            raise WorkerError(str(error)) from error

    def kill(self) -> None:
        """End it; for one that is dead already this does nothing."""
        self._process.kill()
        self._process.join(_END_SECONDS)

    def _receive(self) -> object:
        multiprocessing.connection.wait([self._line, self._process.sentinel])
        try:
            data: dict[str, object] = json.loads(self._line.recv_bytes())
        except (EOFError, OSError) as error:
            raise self._lost() from error
        if "failed" in data:
            raise WorkerError(str(data["failed"]), str(data["stage"]))
        return data.get("answer")

    def _lost(self) -> WorkerError:
        self._process.join(_END_SECONDS)
        self._opened = False
        code = self._process.exitcode
        how = f"exit code {code}"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                how = signal.Signals(-code).name
        hint = ": out of memory? train with fewer --workers" if how == "SIGKILL" else ""
        return WorkerError(f"the training process ended with {how}{hint or '; see its output'}")


def _foreign(error: Exception) -> WorkerError:
    return WorkerError(f"{type(error).__name__}: {error}; report it")


def _work(line: Connection, training: Training) -> None:
    """The life of a process: open, then train what comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:  # a killed study leaves no process behind that goes on training
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        trainer = training.open()
    except Exception as error:
        _say(line, _failure(error))
        return
    _say(line, {"answer": None})
    while True:
        try:
            job = AskTraining.from_json(line.recv_bytes().decode())
        except EOFError:
            return
        _say(line, _train(trainer, job))


def _train(trainer: Trainer, job: AskTraining) -> dict[str, object]:
    try:
        return {"answer": trainer.train(job).to_json_dict()}
    except Exception as error:
        return _failure(error)


def _failure(error: Exception) -> dict[str, object]:
    """What went wrong, in one line; errors that are not ours bear their class' name."""
    text = " ".join(str(error).split())[:500]
    if not isinstance(error, UnasError):
        text = f"{type(error).__name__}: {text}"
    return {"failed": text, "stage": getattr(error, "stage", "training")}


def _say(line: Connection, message: dict[str, object]) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more: the next receive ends it
        line.send_bytes(json.dumps(message).encode())


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
