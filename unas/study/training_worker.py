# SPDX-License-Identifier: Apache-2.0
"""Processes that train. One that dies takes only its candidate with it.

They are spawned, not forked: TensorFlow does not survive a fork. Requests and outputs cross as
JSON.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.process import BaseProcess

from unas.errors import StoreError, UnasError, WorkerError
from unas.study.requests import TrainingOutput, TrainingRequest
from unas.study.scheduler import ThreadExecutor
from unas.study.training import CandidateTrainer, TrainingSetup

RENEW_AFTER = 50
"""Trainings of one process: what TensorFlow does not give back goes with it."""

_JOIN_SECONDS = 5.0


class TrainingProcesses:
    """Trains in several processes; each has a thread here that waits for it."""

    def __init__(
        self, training: TrainingSetup, count: int, *, renew_after: int = RENEW_AFTER
    ) -> None:
        """Processes that begin when they are needed.

        Args:
            training: What a process opens.
            count: Processes.
            renew_after: Trainings of one process before another takes its place.
        """
        self._places = [_Place(training, renew_after) for _ in range(count)]
        self._threads = ThreadExecutor(
            [place.train for place in self._places], name="training", join_seconds=_JOIN_SECONDS
        )

    @property
    def busy_seconds(self) -> float:
        """Wall-clock time of all trainings so far, in seconds."""
        return self._threads.busy_seconds

    def submit(self, request: TrainingRequest) -> Future[TrainingOutput]:
        """Train a candidate in the next free process."""
        return self._threads.submit(request)

    def close(self) -> None:
        """Kill all processes, whatever they are doing."""
        for place in self._places:
            place.close()
        self._threads.close()


class _Place:
    """The place of one process: begins it when it is needed, and another one after it."""

    def __init__(self, training: TrainingSetup, renew_after: int) -> None:
        self._training, self._renew_after = training, renew_after
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._closed = False

    def train(self, request: TrainingRequest) -> TrainingOutput:
        """Train a candidate, and wait for it.

        Raises:
            WorkerError: There can be no process, it died, or it says what failed.
        """
        with self._lock:
            process = self._usable_process()
        return process.train(request)

    def close(self) -> None:
        """Kill the process; no other will take its place."""
        with self._lock:
            self._closed = True
            self._end()

    def _usable_process(self) -> _Process:
        if self._closed:
            raise WorkerError("the study is being ended; go on with --resume")
        if self._process is not None and (
            self._process.count >= self._renew_after or not self._process.alive
        ):
            self._end()  # before the next one begins: if that fails, there is none to end
        if self._process is None:
            try:
                self._process = _Process(self._training)
            except OSError as error:
                raise WorkerError(
                    f"cannot begin a training process: {error.strerror or error}; "
                    "train with fewer --workers, or end other programs"
                ) from error
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()


class _Process:
    """One process and the pipe to it."""

    def __init__(self, training: TrainingSetup) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(
            target=_work, args=(theirs, training), name="unas-training", daemon=True
        )
        with _interrupts_blocked():
            self._process.start()
        theirs.close()
        self._opened = False
        self.count = 0

    @property
    def alive(self) -> bool:
        """Whether it can take another request."""
        return self._process.is_alive() and self._opened

    def train(self, request: TrainingRequest) -> TrainingOutput:
        """Train a candidate, and wait for it.

        Raises:
            WorkerError: The process died, or says what failed.
        """
        if not self._opened:
            self._receive()
            self._opened = True
        try:
            self._pipe.send_bytes(request.to_json().encode())
        except OSError as error:
            raise self._lost() from error
        data = self._receive()
        self.count += 1
        try:
            return TrainingOutput.from_json_dict(data)
        except StoreError as error:
            raise WorkerError(str(error)) from error

    def kill(self) -> None:
        """End it; for one that is dead already this does nothing."""
        self._process.kill()
        self._process.join(_JOIN_SECONDS)

    def _receive(self) -> object:
        multiprocessing.connection.wait([self._pipe, self._process.sentinel])
        try:
            data: dict[str, object] = json.loads(self._pipe.recv_bytes())
        except (EOFError, OSError) as error:
            raise self._lost() from error
        if "failed" in data:
            raise WorkerError(str(data["failed"]), str(data["stage"]))
        return data.get("output")

    def _lost(self) -> WorkerError:
        self._process.join(_JOIN_SECONDS)
        self._opened = False
        code = self._process.exitcode
        how = f"exit code {code}"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                how = signal.Signals(-code).name
        hint = ": out of memory? train with fewer --workers" if how == "SIGKILL" else ""
        return WorkerError(f"the training process ended with {how}{hint or '; see its output'}")


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Ctrl-C is the study's business: a process begins with what its thread blocks."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, training: TrainingSetup) -> None:
    """The life of a process: open, then train what comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:  # a killed study leaves no process behind that goes on training
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        trainer = training.open()
    except Exception as error:
        _send(pipe, _failure(error))
        return
    _send(pipe, {"output": None})
    while True:
        try:
            request = TrainingRequest.from_json(pipe.recv_bytes().decode())
        except EOFError:
            return
        _send(pipe, _train(trainer, request))


def _train(trainer: CandidateTrainer, request: TrainingRequest) -> dict[str, object]:
    try:
        return {"output": trainer.train(request).to_json_dict()}
    except Exception as error:
        return _failure(error)


def _failure(error: Exception) -> dict[str, object]:
    """What went wrong, in one line; errors that are not ours bear their class' name."""
    text = " ".join(str(error).split())[:500]
    if not isinstance(error, UnasError):
        text = f"{type(error).__name__}: {text}"
    return {"failed": text, "stage": getattr(error, "stage", "training")}


def _send(pipe: Connection, message: dict[str, object]) -> None:
    with contextlib.suppress(OSError):  # nobody reads any more: the next receive ends it
        pipe.send_bytes(json.dumps(message).encode())


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
