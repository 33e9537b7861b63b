# SPDX-License-Identifier: Apache-2.0
"""What all measurements of a calibration have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from unas.board import Board
from unas.errors import StoreError
from unas.latency.choose import Fitted, fit_latency
from unas.latency.placing import ArenaLayout, fast_bytes_of
from unas.latency.sample import Sample
from unas.latency.traits import Traits
from unas.record import Measurement

OnStep = Callable[[int, int], None]
# Runtimes whose planner is known: calls of others are placed nowhere in particular.
_BUILT_IN = "builtin"


@dataclass(frozen=True, slots=True)
class Setting:
    """What all measurements of a calibration have in common.

    Attributes:
        traits: Of board and runtime.
        layout: Of the tensor arena.
        clock_hz: Core clock.
        identity: Board, runtime, kernels, provenance, timing.
    """

    traits: Traits
    layout: ArenaLayout
    clock_hz: float
    identity: Mapping[str, str]

    @classmethod
    def of(cls, board: Board, measurement: Measurement) -> Setting:
        """The setting that a measurement was made in."""
        m = measurement
        identity = {
            "board": m.board_id,
            "runtime": m.runtime,
            "runtime_revision": m.runtime_revision,
            "kernels": m.kernels,
            "provenance": str(m.provenance),
            "timing": m.timing,
        }
        return cls(traits_of(board, m), layout_of(board, m), float(m.clock_hz), identity)

    def fit(self, samples: Sequence[Sample], seed: int, on_step: OnStep | None = None) -> Fitted:
        """Fit all latency models and choose the default.

        Raises:
            StoreError: Too few samples.
        """
        return fit_latency(
            samples,
            self.traits,
            self.layout,
            self.clock_hz,
            self.identity,
            seed=seed,
            on_step=on_step,
        )


def check_one_kind(measurements: Sequence[Measurement]) -> None:
    """Refuse to mix.

    Raises:
        StoreError: Measurements of different provenance, timing, board or runtime, or none.
    """
    kinds = {
        (m.provenance, m.timing, m.board_id, m.runtime, m.runtime_revision, m.kernels)
        for m in measurements
    }
    if len(kinds) != 1:
        raise StoreError(
            "measurements of different provenance, timing, board or runtime do not mix in one "
            f"fit: {sorted(kinds)}; calibrate each by itself"
        )


def layout_of(board: Board, measurement: Measurement) -> ArenaLayout:
    """Where the tensor arena lies, from the board file and what the device says of its arena.

    The arena begins behind the program's own data and reaches to the end of all data regions; the
    part of it in a first region without wait states is fast.

    Args:
        board: Kind of board.
        measurement: Any of the calibration.
    """
    data = sorted((m for m in board.memory if m.use == "data"), key=lambda m: m.start)
    if measurement.runtime.split("-")[0] != _BUILT_IN:
        return ArenaLayout(measurement.kernels, None)
    regions = [(region.start, region.size_bytes, region.bus == "direct") for region in data]
    fast = fast_bytes_of(regions, measurement.arena.capacity_bytes)
    return ArenaLayout(measurement.kernels, fast)


def traits_of(board: Board, measurement: Measurement) -> Traits:
    """Caches of the board, blocking of the kernels that were linked."""
    cpu = board.cpu
    return Traits(measurement.kernels, cpu.dcache_bytes, cpu.cache_line_bytes)
