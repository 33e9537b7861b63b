# SPDX-License-Identifier: Apache-2.0
"""Models in, measurements out: pack, build, flash and time, on one unit or several virtual ones."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from unas.artifact import FirmwareImage, Flatbuffer
from unas.errors import EmulatorError, FlashOverflowError, LinkError
from unas.firmware.build import Builder
from unas.firmware.sizes import MODELS_PER_IMAGE, pack
from unas.hil.flash import Flasher
from unas.hil.measure import Failure, measure_image
from unas.lab.bench import Bench
from unas.lab.earlier import declared, equal_keys
from unas.record import Measurement
from unas.store.cache import MeasurementKey, MeasurementStore

Result = Measurement | Failure
Log = Callable[[str], None]

# How often the line may fail while an image is measured: each time it is flashed again.
_MAX_FAILED_LINES = 1


class Lab:
    """Measures models; what was measured before under the same conditions comes from the store."""

    def __init__(
        self,
        bench: Bench,
        store: MeasurementStore,
        *,
        fresh: bool = False,
        log: Log | None = None,
    ) -> None:
        """Set up.

        Args:
            bench: What to measure on.
            store: Keeps measurements.
            fresh: Measure also what the store has.
            log: Takes the device's log lines.
        """
        self._bench, self._store, self._fresh, self._log = bench, store, fresh, log

    def measure(self, models: Sequence[Flatbuffer]) -> Generator[tuple[Result, bool], None, None]:
        """Measure models, in an order of the lab's choosing. May be called any number of times.

        Close the generator if you leave it early: that stops the workers.

        Yields:
            Each result as soon as it is safely stored, and whether it came from the store.

        Raises:
            UnasError: The bench itself failed: no compiler, a unit that does not answer…
        """
        builder = self._bench.builder(0)
        keys = self._keys(models, builder.recipe.firmware_hash)
        missing = []
        for model in {model.sha256: model for model in models}.values():
            stored = None if self._fresh else self._stored(keys[model.sha256], builder)
            if stored is None:
                missing.append(model)
            else:
                yield stored, True
        if not missing:
            return
        with contextlib.closing(_Run(self._bench, missing, builder, self._log).results()) as run:
            for result in run:
                if isinstance(result, Measurement):
                    self._store.put(keys[result.model_sha256], result)
                yield result, False

    def _stored(self, key: MeasurementKey, builder: Builder) -> Measurement | None:
        """What the store has, under today's key or one of before that means the same."""
        for one in (key, *equal_keys(key, builder.recipe, declared())):
            if (measurement := self._store.get(one)) is not None:
                return measurement
        return None

    def _keys(self, models: Sequence[Flatbuffer], firmware_hash: str) -> dict[str, MeasurementKey]:
        """By model; ``source`` is asked for once, because it reads files or starts a program."""
        board_id, source, procedure = (
            self._bench.board.id,
            self._bench.source,
            self._bench.procedure,
        )
        return {
            model.sha256: MeasurementKey(
                model.sha256, board_id, firmware_hash, source,
                procedure.warmup, procedure.runs, procedure.seed,
                procedure.verify_arena, procedure.max_output_bytes,
            )
            for model in models
        }  # fmt: skip


def measure_all(
    bench: Bench,
    store: MeasurementStore,
    models: Sequence[Flatbuffer],
    *,
    fresh: bool = False,
    log: Log | None = None,
    on_result: Callable[[Result, bool], None] = lambda *_: None,
) -> dict[str, Result]:
    """Measure models, but for those that the store has.

    Args:
        bench: What to measure on.
        store: Keeps measurements.
        models: What to measure; copies of a model count once.
        fresh: Measure also what the store has.
        log: Takes the device's log lines.
        on_result: Takes each result as soon as it is safely stored, and whether it came from the
            store.

    Returns:
        Per model, by its digest, the measurement or why there is none; in the order of measuring.

    Raises:
        UnasError: The bench itself failed.
    """
    results: dict[str, Result] = {}
    # closing: an interrupt between two results must stop the workers too, and in order.
    with contextlib.closing(Lab(bench, store, fresh=fresh, log=log).measure(models)) as measuring:
        for result, stored in measuring:
            results[result.model_sha256] = result
            on_result(result, stored)
    return results


def measure_one(
    bench: Bench,
    store: MeasurementStore,
    model: Flatbuffer,
    *,
    fresh: bool = False,
    log: Log | None = None,
) -> tuple[Measurement, bool]:
    """Measure one model, unless the store has it.

    Args:
        bench: What to measure on.
        store: Keeps measurements.
        model: What to measure.
        fresh: Measure also what the store has.
        log: Takes the device's log lines.

    Returns:
        The measurement, and whether it came from the store.

    Raises:
        UnasError: The model cannot be measured, or the bench failed.
    """
    lab = Lab(bench, store, fresh=fresh, log=log)
    with contextlib.closing(lab.measure([model])) as measuring:
        result, stored = next(measuring)
    if isinstance(result, Failure):
        raise result.error
    return result, stored


@dataclass(frozen=True, slots=True)
class _WorkerEnded:
    """A worker has no more images, or failed."""

    error: Exception | None = None


class _Run:
    """The workers of one call: threads, flashers and queues are its own, and end with it."""

    def __init__(
        self, bench: Bench, models: Sequence[Flatbuffer], builder: Builder, log: Log | None
    ) -> None:
        self._bench, self._builder, self._log = bench, builder, log
        self._images: queue.SimpleQueue[list[Flatbuffer]] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Result | _WorkerEnded] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._flashers: list[Flasher] = []
        workers = 1 if bench.unit is not None else max(1, bench.workers)
        # Several workers share the work evenly only if there are images for all of them; flash wear
        # is silicon's, so a unit gets full images.
        per_image = MODELS_PER_IMAGE if workers == 1 else -(-len(models) // (2 * workers))
        for image in pack(models, bench.board, most=per_image):
            self._images.put(image)
        self._threads = [
            threading.Thread(target=self._work, args=(index,), name=f"lab-{index}", daemon=True)
            for index in range(min(workers, self._images.qsize()))
        ]

    def results(self) -> Generator[Result, None, None]:
        """Run the workers; closing the generator stops them."""
        for thread in self._threads:
            thread.start()
        try:
            yield from self._collect()
        finally:
            self._stop.set()
            self._close_flashers()  # a worker that waits for its unit goes on at once
            for thread in self._threads:
                thread.join()
            self._close_flashers()  # what a worker has started meanwhile

    def _collect(self) -> Iterator[Result]:
        """Results until every worker has ended; the first error of one ends all."""
        running = len(self._threads)
        while running:
            try:
                item = self._results.get(timeout=0.2)  # a bounded wait lets Ctrl-C through
            except queue.Empty:
                continue
            if not isinstance(item, _WorkerEnded):
                yield item
            elif item.error is not None:
                raise item.error
            else:
                running -= 1

    def _close_flashers(self) -> None:
        for flasher in self._flashers:
            flasher.close()

    def _work(self, index: int) -> None:
        """One worker: takes images until none is left, and reports its end however it comes."""
        try:
            builder = self._builder if index == 0 else self._bench.builder(index)
            flasher = self._bench.flasher(index)
            self._flashers.append(flasher)
            while not self._stop.is_set():
                try:
                    models = self._images.get_nowait()
                except queue.Empty:
                    break
                self._measure_image(builder, flasher, models)
            self._results.put(_WorkerEnded())
        except Exception as error:  # the collector raises it in the caller's thread
            self._results.put(_WorkerEnded(error))

    def _measure_image(self, builder: Builder, flasher: Flasher, models: list[Flatbuffer]) -> None:
        unit = self._bench.unit
        try:
            image = builder.build(models, probe_serial=unit.probe_serial if unit else "")
        except FlashOverflowError as error:
            if len(models) == 1:
                self._results.put(Failure(models[0].sha256, models[0].name, error))
            else:  # packed too tight: halves fit sooner
                self._images.put(models[: len(models) // 2])
                self._images.put(models[len(models) // 2 :])
            return
        self._time(flasher, image, models)

    def _time(self, flasher: Flasher, image: FirmwareImage, models: Sequence[Flatbuffer]) -> None:
        """Time all models of an image.

        After a failed line the image is flashed again, once. A virtual board that stops fails the
        model that it ran, and is started again for the others.
        """
        board, procedure, log = self._bench.board, self._bench.procedure, self._log
        first, attempt, failed_lines = 0, 1, 0
        while first < len(models) and not self._stop.is_set():
            try:
                for result in measure_image(
                    flasher, image, board, models, procedure, first=first, attempt=attempt, log=log
                ):
                    self._results.put(result)
                    first, attempt = first + 1, 1
                    if self._stop.is_set():
                        return
            except LinkError:
                attempt, failed_lines = attempt + 1, failed_lines + 1
                if failed_lines > _MAX_FAILED_LINES:
                    raise
            except EmulatorError as error:
                self._results.put(Failure(models[first].sha256, models[first].name, error))
                first, attempt = first + 1, 1
