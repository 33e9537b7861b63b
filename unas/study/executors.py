# SPDX-License-Identifier: Apache-2.0
"""Threads that work on requests in the order they were submitted, and the board's one thread."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from unas.artifact import Flatbuffer
from unas.record import Measurement
from unas.study.requests import MeasurementRequest

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
