# SPDX-License-Identifier: Apache-2.0
"""Fits the models of a calibration to its measurements, and gathers all that it writes.

Latency models learn from samples: measurements as cycles of kernels in their placements. All
measurements of a calibration share one context: board, runtime, kernels, provenance and timing.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unas.board import Board
from unas.calibration.draw import KernelBenchmark, Point, table_row
from unas.cost.mac_line import Fit, fit_quantity
from unas.cost.memory import ArenaModel, FlashModel
from unas.cost.memory_fit import MIN_NETWORKS
from unas.cost.model_selection import Fitted, HeldOut, fit_latency
from unas.cost.operators import ArenaLayout, fast_bytes_of
from unas.cost.terms import family
from unas.cost.types import KernelProfile, Sample
from unas.errors import StoreError
from unas.graph import Graph
from unas.record import Measurement, Prediction
from unas.store.calibration import CalibrationResults
from unas.store.measurements import sample_of

_FOLDS = 2


def fit_lines(points: Sequence[Point], seed: int) -> dict[str, Fit]:
    """The paper's two lines: latency from MACs, and tensor arena from peak memory.

    Raises:
        StoreError: Too few points.
    """
    estimates = [point.network.estimate for point in points]
    latency = fit_quantity(
        "latency_us",
        "paper_macs",
        [estimate.paper_macs for estimate in estimates],
        [point.measurement.latency_us for point in points],
        seed=seed,
    )
    arena = fit_quantity(
        "arena_used_bytes",
        "peak_memory_bytes",
        [estimate.peak_memory_bytes for estimate in estimates],
        [point.measurement.arena.used_bytes for point in points],
        seed=seed,
    )
    return {"latency": latency, "arena": arena}


def fit_memory(points: Sequence[Point], seed: int) -> tuple[ArenaModel, FlashModel] | None:
    """Arena and flash models; None where too few different networks were measured."""
    graphs: list[Graph] = [point.network.graph for point in points]
    if len(set(graphs)) < MIN_NETWORKS:
        return None
    measurements = [point.measurement for point in points]
    arena = ArenaModel.fit(graphs, [m.arena.used_bytes for m in measurements], seed=seed)
    flash = FlashModel.fit(
        graphs,
        [m.flatbuffer_bytes for m in measurements],
        [m.program_bytes for m in measurements],
        seed=seed,
    )
    return arena, flash


def arena_of_the_unseen(
    graphs: Sequence[Graph], used_bytes: Sequence[int], seed: int
) -> list[Prediction]:
    """The arena of each network, predicted by a model that was fitted without it if possible.

    With fewer networks than two folds need, one model is fitted to all of them.
    """
    known = {graph: number for number, graph in enumerate(dict.fromkeys(graphs))}
    if len(known) < _FOLDS * MIN_NETWORKS:
        model = ArenaModel.fit(graphs, used_bytes, seed=seed)
        return [model.predict(graph) for graph in graphs]
    predicted: dict[Graph, Prediction] = {}
    for fold in range(_FOLDS):
        train = [i for i, graph in enumerate(graphs) if known[graph] % _FOLDS != fold]
        model = ArenaModel.fit([graphs[i] for i in train], [used_bytes[i] for i in train])
        predicted |= {
            graph: model.predict(graph) for graph in graphs if known[graph] % _FOLDS == fold
        }
    return [predicted[graph] for graph in graphs]


def evaluated_on(fitted: Fitted, held_out: Sequence[Sample]) -> Fitted:
    """The same models, with predictions for held-out networks in place of the cross-validation."""
    entries = [
        HeldOut(
            name=sample.name,
            model=name,
            cycles=sample.cycles,
            predicted=model.cycles(sample.calls),
            paper_macs=sample.paper_macs,
            operators=tuple(
                (family(call), actual, float(predicted))
                for call, actual, predicted in zip(
                    sample.calls,
                    sample.operator_cycles,
                    model.operators(sample.calls),
                    strict=False,
                )
            ),
        )
        for name, model in fitted.models.items()
        for sample in held_out
    ]
    return replace(fitted, held_out=tuple(entries))


def findings_of(
    points: Sequence[Point],
    kernels: Sequence[Measurement],
    samples: Sequence[Sample],
    fitted: Fitted,
    environment: Mapping[str, Any],
    *,
    seed: int,
    sampling: Mapping[str, Any] | None = None,
) -> CalibrationResults:
    """Everything that a calibration writes.

    Args:
        points: Measured networks.
        kernels: Measurements of single kernels.
        samples: What the latency models were fitted on.
        fitted: The latency models.
        environment: Versions, compiler, board file, command.
        seed: Of cross-validations.
        sampling: The rounds of active sampling, as JSON types; None without it.

    Raises:
        StoreError: Too few networks.
    """
    memory = fit_memory(points, seed)
    rows = [table_row(point) for point in points]
    if memory:
        predictions = arena_of_the_unseen(
            [point.network.graph for point in points],
            [point.measurement.arena.used_bytes for point in points],
            seed,
        )
        for row, arena in zip(rows, predictions, strict=True):
            row |= {
                "arena_predicted_bytes": arena.value,
                "arena_lower_bytes": arena.lower,
                "arena_upper_bytes": arena.upper,
            }
    return CalibrationResults(
        rows=rows,
        samples=samples,
        fitted=fitted,
        environment=environment,
        measurements=[point.measurement for point in points],
        kernels=kernels,
        arena=memory and memory[0],
        flash=memory and memory[1],
        lines=fit_lines(points, seed),
        sampling=sampling,
    )


def kernel_sample_of(
    measurement: Measurement, benchmark: KernelBenchmark, layout: ArenaLayout
) -> Sample:
    """A single kernel that was measured."""
    alone = sample_of(measurement, benchmark.graph, layout)
    return replace(alone, calls=benchmark.calls(layout), is_network=False)


def merged(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Single kernels with equal calls become one sample with their mean; networks stay.

    Samples keep their order; of equal ones the first gives the name.
    """
    groups: dict[object, list[Sample]] = {}
    for number, sample in enumerate(samples):
        key = number if sample.is_network else sample.calls
        groups.setdefault(key, []).append(sample)
    return tuple(_mean(group) for group in groups.values())


def _mean(group: Sequence[Sample]) -> Sample:
    if len(group) == 1:
        return group[0]
    profiled = [sample.operator_cycles[0] for sample in group if sample.operator_cycles]
    return replace(
        group[0],
        cycles=statistics.fmean(sample.cycles for sample in group),
        operator_cycles=(statistics.fmean(profiled),) if profiled else (),
    )


OnStep = Callable[[int, int], None]
# The runtime whose planner is known; no placement of calls is known for others.
_BUILT_IN = "builtin"


@dataclass(frozen=True, slots=True)
class CalibrationContext:
    """What all measurements of a calibration have in common.

    Attributes:
        profile: Of board and runtime.
        layout: Of the tensor arena.
        clock_hz: Core clock in Hz.
        identity: Board, runtime, kernels, provenance, timing.
    """

    profile: KernelProfile
    layout: ArenaLayout
    clock_hz: float
    identity: Mapping[str, str]

    @classmethod
    def of(cls, board: Board, measurement: Measurement) -> CalibrationContext:
        """The context of a measurement."""
        return cls(
            profile_of(board, measurement),
            layout_of(board, measurement),
            float(measurement.clock_hz),
            measurement.conditions.identity,
        )

    def fit(self, samples: Sequence[Sample], seed: int, on_step: OnStep | None = None) -> Fitted:
        """Fit all latency models and choose the default.

        Raises:
            StoreError: Too few samples.
        """
        return fit_latency(
            samples,
            self.profile,
            self.layout,
            self.clock_hz,
            self.identity,
            seed=seed,
            on_step=on_step,
        )


def check_one_kind(measurements: Sequence[Measurement]) -> None:
    """Refuse to fit on measurements of different contexts.

    Raises:
        StoreError: Measurements of different provenance, timing, board or runtime, or none.
    """
    conditions = {m.conditions for m in measurements}
    if len(conditions) != 1:
        kinds = sorted(", ".join(one.identity.values()) for one in conditions)
        raise StoreError(
            "measurements of different provenance, timing, board or runtime do not mix in one "
            f"fit: {kinds}; calibrate each by itself"
        )


def layout_of(board: Board, measurement: Measurement) -> ArenaLayout:
    """Where the tensor arena lies, from the board file and the arena's size on the device.

    The arena begins behind the program's own data and reaches to the end of all data regions; the
    part of it in a first region without wait states is fast.

    Args:
        board: Kind of board.
        measurement: Any one of the calibration.
    """
    data = sorted((m for m in board.memory if m.use == "data"), key=lambda m: m.start)
    if measurement.runtime.split("-")[0] != _BUILT_IN:
        return ArenaLayout(measurement.kernels, None)
    regions = [(region.start, region.size_bytes, region.bus == "direct") for region in data]
    fast = fast_bytes_of(regions, measurement.arena.capacity_bytes)
    return ArenaLayout(measurement.kernels, fast)


def profile_of(board: Board, measurement: Measurement) -> KernelProfile:
    """The caches of the board, and the kernels that were linked."""
    cpu = board.cpu
    return KernelProfile(measurement.kernels, cpu.dcache_bytes, cpu.cache_line_bytes)
