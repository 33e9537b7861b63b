# SPDX-License-Identifier: Apache-2.0
"""The board of a study: a thread that measures one network after the other."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from unas.artifact import Flatbuffer
from unas.errors import DeviceError, UnasError
from unas.lab.bench import Bench
from unas.lab.lab import measure_one
from unas.record import Measurement
from unas.store.cache import MeasurementStore
from unas.study.requests import AskBoard
from unas.study.scheduler import Answered, Answers

Measure = Callable[[Flatbuffer], Measurement]

_END_SECONDS = 20.0


class BoardWorker:
    """Measures what is submitted, in order; a board is one, so one thread."""

    def __init__(self, measure: Measure, answers: Answers) -> None:
        """Start the thread.

        Args:
            measure: Times one network; raises a ``UnasError`` if it cannot.
            answers: Where answers go.
        """
        self._measure, self._answers = measure, answers
        self._jobs: queue.SimpleQueue[tuple[int, AskBoard] | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._busy = 0.0
        self._thread = threading.Thread(target=self._serve, name="board", daemon=True)
        self._thread.start()

    @property
    def busy_seconds(self) -> float:
        """How long it has been at work so far, in seconds of the host."""
        return self._busy

    def submit(self, ticket: int, job: AskBoard) -> None:
        """Measure it when all before it are done."""
        self._jobs.put((ticket, job))

    def close(self) -> None:
        """Take nothing new; wait a little for what is being measured."""
        self._closed.set()
        self._jobs.put(None)
        self._thread.join(_END_SECONDS)

    def _serve(self) -> None:
        while (entry := self._jobs.get()) is not None and not self._closed.is_set():
            ticket, job = entry
            began = time.monotonic()
            try:
                self._answers.put(Answered(ticket, self._measure(job.model)))
            except UnasError as error:
                self._answers.put(Answered(ticket, error))
            except Exception as error:  # a thread that dies silently would hang the loop
                text = f"{type(error).__name__}: {error}; report it"
                self._answers.put(Answered(ticket, DeviceError(text)))
            self._busy += time.monotonic() - began


def lab_measure(
    bench: Bench, store: MeasurementStore, log: Callable[[str], None] | None = None
) -> Measure:
    """Measuring in a lab; what was measured before comes from the store.

    Args:
        bench: What to measure on.
        store: Keeps measurements.
        log: Takes the device's log lines.
    """

    def measure(model: Flatbuffer) -> Measurement:
        return measure_one(bench, store, model, log=log)[0]

    return measure
