# SPDX-License-Identifier: Apache-2.0
"""Models in, measurements out: pack, build, flash and time, on one unit or several virtual ones."""

from __future__ import annotations

import contextlib
import enum
import hashlib
import importlib.metadata
import os
import queue
import shutil
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import unas.virtual
from unas.artifact import FirmwareImage, Flatbuffer
from unas.board import Board
from unas.errors import ConfigError, EmulatorError, FlashOverflowError, LinkError, UnasError
from unas.firmware.build import Builder, platformio_environment
from unas.firmware.pack import MODELS_PER_IMAGE, pack
from unas.firmware.runtimes import BUILTIN, Runtime
from unas.hil.flash import Flasher, PlatformioFlasher, QemuFlasher, VirtualFlasher, qemu_version
from unas.hil.measure import Failure, Procedure, measure_image
from unas.hil.units import Unit
from unas.record import Measurement
from unas.store.cache import MeasurementKey, MeasurementStore


class Emulator(enum.StrEnum):
    """What plays the board where none is plugged in."""

    UNICORN = "unicorn"
    QEMU = "qemu"


@dataclass(frozen=True, slots=True)
class Emulation:
    """How a virtual board is run.

    Attributes:
        emulator: QEMU has machines for few boards, and counts instructions only.
        timing: What cycles are; None: the best there is.
    """

    emulator: Emulator = Emulator.UNICORN
    timing: str | None = None

    @property
    def revision(self) -> str:
        """All that decides an emulated number but the firmware and the procedure."""
        if self.emulator is Emulator.QEMU:
            return qemu_version()
        # Without a C compiler the best is less.
        native = shutil.which(os.environ.get("CC", "cc")) is not None
        return f"{virtual_revision()} timing {self.timing or 'best'} native {native}"


@dataclass(frozen=True, slots=True)
class Bench:
    """What to measure on.

    Attributes:
        board: Kind of board.
        board_argument: What the user named it by: an id or a path.
        unit: A board on the desk; None for virtual ones.
        workers: Virtual boards at work at once; a unit is only one.
        procedure: Warm-up, runs and seed.
        runtime: What runs the models.
        emulation: How a virtual board is run.
    """

    board: Board
    board_argument: str
    unit: Unit | None = None
    workers: int = 2
    procedure: Procedure = field(default_factory=Procedure)
    runtime: Runtime = BUILTIN
    emulation: Emulation = Emulation()

    def __post_init__(self) -> None:
        if self.unit is None and self.board.virtual_machine is None:
            raise ConfigError(
                f"board {self.board.id} has no virtual machine; plug one in and run "
                "unas-hil boards --scan, or add [virtual] to its board file"
            )

    @property
    def source(self) -> str:
        """What the numbers come from, as part of a measurement's identity."""
        return self.emulation.revision if self.unit is None else f"unit {self.unit.name}"

    def flasher(self, instance: int) -> Flasher:
        """A flasher for one worker."""
        if self.unit is not None:
            return PlatformioFlasher(self.unit, platformio_environment())
        if self.emulation.emulator is Emulator.QEMU:
            return QemuFlasher(self.board)
        return VirtualFlasher(self.board, self.board_argument, instance, self.emulation.timing)


def virtual_revision() -> str:
    """Identity of the virtual boards: a digest of their sources, and the emulator's version."""
    room = Path(unas.virtual.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(p for p in room.rglob("*") if p.suffix in (".py", ".c", ".h")):
        digest.update(path.relative_to(room).as_posix().encode() + b"\0" + path.read_bytes())
    return f"virtual {digest.hexdigest()[:16]} unicorn {importlib.metadata.version('unicorn')}"


Result = Measurement | Failure


class Lab:
    """Measures models; what was measured before under the same conditions comes from the store."""

    def __init__(
        self,
        bench: Bench,
        store: MeasurementStore,
        *,
        fresh: bool = False,
        log: Callable[[str], None] | None = None,
    ) -> None:
        """Set up.

        Args:
            bench: What to measure on.
            store: Keeps measurements.
            fresh: Measure again what the store has.
            log: Takes the device's log lines.
        """
        self._bench, self._store, self._fresh, self._log = bench, store, fresh, log
        self._stop = threading.Event()
        self._flashers: list[Flasher] = []

    def measure(self, models: Sequence[Flatbuffer]) -> Generator[tuple[Result, bool], None, None]:
        """Measure models, in an order of the lab's choosing.

        Close the generator if you leave it early: that stops the workers.

        Yields:
            Each result as soon as it is safely stored, and whether it came from the store.

        Raises:
            UnasError: The bench itself failed: no compiler, a unit that does not answer…
        """
        builder = self._builder(0)
        firmware_hash = builder.recipe.firmware_hash
        missing = []
        for model in {model.sha256: model for model in models}.values():
            stored = (
                None if self._fresh else self._store.get(self._key(model.sha256, firmware_hash))
            )
            if stored is None:
                missing.append(model)
            else:
                yield stored, True
        with contextlib.closing(self._run(missing, builder)) as results:
            for result in results:
                if isinstance(result, Measurement):
                    key = self._key(result.model_sha256, firmware_hash)
                    self._store.put(key, result)
                yield result, False

    def _builder(self, index: int) -> Builder:
        return Builder(self._bench.board, f"w{index}", self._bench.runtime)

    def _key(self, model_sha256: str, firmware_hash: str) -> MeasurementKey:
        bench, procedure = self._bench, self._bench.procedure
        return MeasurementKey(
            model_sha256, bench.board.id, firmware_hash, bench.source,
            procedure.warmup, procedure.runs, procedure.seed,
            procedure.verify_arena, procedure.most_output_bytes,
        )  # fmt: skip

    def _run(self, models: Sequence[Flatbuffer], builder: Builder) -> Generator[Result, None, None]:
        if not models:
            return
        workers = 1 if self._bench.unit is not None else max(1, self._bench.workers)
        # Several workers share the work evenly only if there are images for all of them; flash wear
        # is silicon's, so a unit gets full images.
        most = MODELS_PER_IMAGE if workers == 1 else -(-len(models) // (2 * workers))
        jobs: queue.SimpleQueue[list[Flatbuffer]] = queue.SimpleQueue()
        for image in pack(models, self._bench.board, most=most):
            jobs.put(image)
        results: queue.SimpleQueue[Result | UnasError | Exception | None] = queue.SimpleQueue()
        threads = [
            threading.Thread(target=self._work, args=(jobs, results, i, builder), daemon=True)
            for i in range(min(workers, jobs.qsize()))
        ]
        for thread in threads:
            thread.start()
        try:
            yield from _collect(results, len(threads))
        finally:
            self._stop.set()
            for flasher in self._flashers:
                flasher.close()
            for thread in threads:
                thread.join()

    def _work(
        self,
        jobs: queue.SimpleQueue[list[Flatbuffer]],
        results: queue.SimpleQueue[Result | UnasError | Exception | None],
        index: int,
        first_builder: Builder,
    ) -> None:
        """One worker: takes images until none is left. Every ending is told to the collector."""
        try:
            builder = first_builder if index == 0 else self._builder(index)
            flasher = self._bench.flasher(index)
            self._flashers.append(flasher)
            while not self._stop.is_set():
                try:
                    models = jobs.get_nowait()
                except queue.Empty:
                    break
                self._measure_image(builder, flasher, models, jobs, results)
            results.put(None)
        except Exception as error:  # the collector raises it in the caller's thread
            results.put(error)

    def _measure_image(
        self,
        builder: Builder,
        flasher: Flasher,
        models: list[Flatbuffer],
        jobs: queue.SimpleQueue[list[Flatbuffer]],
        results: queue.SimpleQueue[Result | UnasError | Exception | None],
    ) -> None:
        unit = self._bench.unit
        try:
            image = builder.build(models, probe_serial=unit.probe_serial if unit else "")
        except FlashOverflowError as error:
            if len(models) == 1:
                results.put(Failure(models[0].sha256, models[0].name, error))
            else:  # packed too tight: halves fit sooner
                jobs.put(models[: len(models) // 2])
                jobs.put(models[len(models) // 2 :])
            return
        self._time(flasher, image, models, results)

    def _time(
        self,
        flasher: Flasher,
        image: FirmwareImage,
        models: list[Flatbuffer],
        results: queue.SimpleQueue[Result | UnasError | Exception | None],
    ) -> None:
        """Time all models of an image.

        A line that fails is given a second chance; a virtual board that stops has shown what it
        thinks of one model, and starts anew for the others.
        """
        board, procedure = self._bench.board, self._bench.procedure
        first, chances = 0, 2
        while first < len(models) and not self._stop.is_set():
            try:
                for result in measure_image(
                    flasher, image, board, models, procedure, first=first, log=self._log
                ):
                    results.put(result)
                    first += 1
                    if self._stop.is_set():
                        return
            except LinkError:
                chances -= 1
                if chances == 0:
                    raise
            except EmulatorError as error:
                results.put(Failure(models[first].sha256, models[first].name, error))
                first += 1


def _collect(
    results: queue.SimpleQueue[Result | UnasError | Exception | None], workers: int
) -> Iterator[Result]:
    while workers:
        try:
            item = results.get(timeout=0.2)  # a bounded wait lets Ctrl-C through
        except queue.Empty:
            continue
        if item is None:
            workers -= 1
        elif isinstance(item, Exception):
            raise item
        else:
            yield item
