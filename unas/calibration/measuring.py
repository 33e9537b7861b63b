# SPDX-License-Identifier: Apache-2.0
"""Measures drawn networks and single kernels in a lab, and adds up the effort."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from unas.artifact import Flatbuffer
from unas.calibration.draw import DrawnNetwork, KernelBenchmark, Point
from unas.errors import StoreError
from unas.lab.bench import Bench
from unas.lab.lab import Result, measure_all
from unas.record import Measurement
from unas.store.cache import MeasurementStore

# Enough to detect a wrong kernel; the whole output of an operator may have 100 kB.
_KERNEL_OUTPUT_BYTES = 512

OnResult = Callable[[str, bool, int, int], None]
"""Called after each model with "networks" or "kernels", whether it came from the store, the number
that is done, and the number of all."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What the measurements of a calibration took.

    Attributes:
        images: Number of different images.
        flash_cycles: Number of times that a unit, or a virtual board, was flashed with one of them.
        device_seconds: Flashing, timed runs and trials of the arena; builds not counted.
        seconds: Wall-clock time of this run: less where much came from the store.
        models: Number of measured models.
        stored: Number of them that came from the store.
    """

    images: int
    flash_cycles: int
    device_seconds: float
    seconds: float
    models: int
    stored: int


class CalibrationLab:
    """Measures what calibration needs: networks with their tensor arena, kernels without."""

    def __init__(
        self,
        bench: Bench,
        store: MeasurementStore,
        *,
        fresh: bool = False,
        log: Callable[[str], None] | None = None,
        on_result: OnResult = lambda *_: None,
    ) -> None:
        """Set up.

        Args:
            bench: What to measure on; its procedure is that of networks.
            store: Keeps measurements.
            fresh: Measure even what the store has.
            log: Takes the device's log lines.
            on_result: Called after each model.
        """
        self._bench, self._store, self._fresh, self._log = bench, store, fresh, log
        self._on_result = on_result
        self.failures: list[str] = []
        self.measurements: list[Measurement] = []
        self._seconds, self._stored = 0.0, 0
        self._asked, self._done = Counter[str](), Counter[str]()

    def networks(self, networks: Sequence[DrawnNetwork]) -> list[Point]:
        """Measure networks; those that cannot be measured are missing, see ``failures``.

        Raises:
            UnasError: The bench itself failed.
            StoreError: An output differs from the golden implementation's.
        """
        measured = self._measure("networks", self._bench, [network.model for network in networks])
        return [
            Point(network, measured[network.model.sha256])
            for network in networks
            if network.model.sha256 in measured
        ]

    def kernels(
        self, benchmarks: Sequence[KernelBenchmark]
    ) -> list[tuple[KernelBenchmark, Measurement]]:
        """Measure single kernels: one timed run after a cold one.

        The arena is not tried, and of the output only the beginning is checked.

        Raises:
            UnasError: The bench itself failed.
            StoreError: An output differs from the golden implementation's.
        """
        procedure = replace(
            self._bench.procedure,
            warmup=0,
            runs=1,
            verify_arena=False,
            max_output_bytes=_KERNEL_OUTPUT_BYTES,
        )
        models = {benchmark.name: benchmark.model() for benchmark in benchmarks}
        bench = replace(self._bench, procedure=procedure)
        measured = self._measure("kernels", bench, list(models.values()))
        return [
            (benchmark, replace(measured[models[benchmark.name].sha256], model_name=benchmark.name))
            for benchmark in benchmarks
            if models[benchmark.name].sha256 in measured
        ]

    def effort(self) -> Effort:
        """The effort so far, from the identities and durations that come with the measurements."""
        flashed = {
            (m.info.get("image_hash"), m.info.get("nonce")): event.seconds
            for m in self.measurements
            for event in m.events
            if event.act == "flash"
        }
        others = sum(
            event.seconds for m in self.measurements for event in m.events if event.act != "flash"
        )
        return Effort(
            images=len({image for image, _ in flashed}),
            flash_cycles=len(flashed),
            device_seconds=round(sum(flashed.values()) + others, 1),
            seconds=round(self._seconds, 1),
            models=len(self.measurements),
            stored=self._stored,
        )

    def _measure(
        self, kind: str, bench: Bench, models: Sequence[Flatbuffer]
    ) -> dict[str, Measurement]:
        measured: dict[str, Measurement] = {}
        self._asked[kind] += len({model.sha256 for model in models})
        started = time.monotonic()

        def count(result: Result, stored: bool) -> None:
            self._done[kind] += 1
            self._stored += stored
            self._on_result(kind, stored, self._done[kind], self._asked[kind])
            if isinstance(result, Measurement):
                measured[result.model_sha256] = result
            else:
                self.failures.append(str(result.error))

        measure_all(bench, self._store, models, fresh=self._fresh, log=self._log, on_result=count)
        self._seconds += time.monotonic() - started
        wrong = [m.model_name for m in measured.values() if not m.output.equal]
        if wrong:
            raise StoreError(
                f"the output of {len(wrong)} {kind} differs from the golden implementation "
                f"({', '.join(wrong[:3])}…), so nothing was written; please report it"
            )
        self.measurements.extend(measured.values())
        return measured
