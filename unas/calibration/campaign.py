# SPDX-License-Identifier: Apache-2.0
"""A whole calibration: draw, measure, fit; once, or until the held-out error is low enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from unas.board import Board
from unas.calibration.active import Goal, Round, sample_actively
from unas.calibration.draw import DrawnNetwork, KernelBenchmark, Point, draw_samples, single_kernels
from unas.calibration.learn import (
    CalibrationContext,
    check_one_kind,
    evaluated_on,
    findings_of,
    kernel_sample_of,
    merged,
)
from unas.calibration.measuring import CalibrationLab
from unas.calibration.uncertainty import MeasurementCandidate
from unas.cost.operators import calls_of
from unas.cost.types import Sample
from unas.errors import StoreError
from unas.firmware.sizes import PROGRAM_BYTES
from unas.record import Measurement
from unas.store.calibration import CalibrationResults
from unas.store.environment import environment
from unas.store.measurements import sample_of

# Networks to begin with: the prediction interval at the usual level needs about as many.
_START = 10
# Networks that stand for all when latency is predicted; their kernels are the candidates.
_RANDOM_NETWORKS = 60
_KERNELS_PER_NETWORK = 8

OnProgress = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done, and the total."""


@dataclass(frozen=True, slots=True)
class CalibrationPlan:
    """The plan of a calibration.

    Attributes:
        board: Kind of board.
        networks: Networks to measure; with an error goal: to train on, at most.
        kernels: Single operators to measure; with an error goal: at most.
        seed: Of draws and fits.
        command: The options that were given, for the environment.
        source: What is measured on, for the environment.
        tell: Called with progress.
        on_round: Called with each round of active sampling.
    """

    board: Board
    networks: int
    kernels: int
    seed: int
    command: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    tell: OnProgress = lambda *_: None
    on_round: Callable[[Round], None] = lambda _: None


def calibrate_plainly(plan: CalibrationPlan, bench: CalibrationLab) -> CalibrationResults:
    """Measure random networks, and random kernels of others, and fit.

    Raises:
        UnasError: The bench failed, or too little could be measured.
    """
    points = bench.networks(_drawn(plan, plan.networks, 0))
    context = _context(plan, bench, points)
    alone: list[tuple[KernelBenchmark, Measurement]] = []
    if plan.kernels:
        count = -(-plan.kernels // _KERNELS_PER_NETWORK) + 1
        others = _drawn(plan, count, plan.networks, "drawing others")
        benchmarks = single_kernels(network.graph for network in others)
        rng = np.random.default_rng(plan.seed)
        chosen = sorted(rng.permutation(len(benchmarks))[: plan.kernels])
        alone = bench.kernels([benchmarks[i] for i in chosen])
    samples = [sample_of(p.measurement, p.network.graph, context.layout) for p in points]
    samples += [kernel_sample_of(m, one, context.layout) for one, m in alone]
    check_one_kind(bench.measurements)
    fitted = context.fit(merged(samples), plan.seed, _fitting(plan))
    made_in = environment(plan.board, points[0].measurement, plan.command, plan.source)
    measured = [m for _, m in alone]
    return findings_of(points, measured, samples, fitted, made_in, seed=plan.seed)


def calibrate_until(
    plan: CalibrationPlan, bench: CalibrationLab, wanted_percent: float, held_out: int
) -> CalibrationResults:
    """Measure what lowers the uncertainty most, until the held-out error is low enough.

    The first networks of the seed are held out, the next ten are trained on first. What the store
    has is not measured a second time, so an interrupted run continues where it was.

    Args:
        plan: The plan.
        bench: Measures.
        wanted_percent: Mean absolute relative error of the held-out networks' latency, at most.
        held_out: Number of networks to evaluate on.

    Raises:
        UnasError: The bench failed, or too little could be measured.
    """
    start = min(_START, plan.networks)
    pool = max(plan.networks - start, _RANDOM_NETWORKS)
    drawn = _drawn(plan, held_out + start + pool, 0)
    held_out_points = bench.networks(drawn[:held_out])
    begun = bench.networks(drawn[held_out : held_out + start])
    work = _Work(plan, bench, _context(plan, bench, [*held_out_points, *begun]))
    tests = [work.network(point) for point in held_out_points]
    first = [work.network(point) for point in begun]
    goal = Goal(
        mape_percent=wanted_percent,
        max_networks=plan.networks,
        max_kernels=plan.kernels,
        capacity_bytes=plan.board.flash_bytes - PROGRAM_BYTES,
    )
    result = sample_actively(
        tests,
        first,
        work.candidates(drawn[held_out:], drawn[held_out + start :]),
        work.measure,
        lambda samples: work.context.fit(merged(samples), plan.seed, _fitting(plan)),
        goal,
        work.context.profile,
        seed=plan.seed,
        on_round=plan.on_round,
    )
    check_one_kind(bench.measurements)
    made_in = environment(plan.board, held_out_points[0].measurement, plan.command, plan.source)
    sampling = result.to_json_dict() | {
        "until_mape_percent": wanted_percent,
        "held_out": [sample.name for sample in tests],
        "effort": asdict(bench.effort()),
    }
    return findings_of(
        [*held_out_points, *begun, *work.points],
        work.kernels,
        [*tests, *result.samples],
        evaluated_on(result.fitted, tests),
        made_in,
        seed=plan.seed,
        sampling=sampling,
    )


class _Work:
    """Measures candidates by name, and collects the measurements."""

    def __init__(
        self, plan: CalibrationPlan, bench: CalibrationLab, context: CalibrationContext
    ) -> None:
        self.context, self._plan, self._bench = context, plan, bench
        self.points: list[Point] = []
        self.kernels: list[Measurement] = []
        self._networks: dict[str, DrawnNetwork] = {}
        self._benchmarks: dict[str, KernelBenchmark] = {}

    def candidates(
        self, sources: Sequence[DrawnNetwork], networks: Sequence[DrawnNetwork]
    ) -> list[MeasurementCandidate]:
        """Networks, and the single kernels of other networks."""
        layout = self.context.layout
        self._networks = {network.architecture_id: network for network in networks}
        benchmarks = single_kernels(network.graph for network in sources)
        self._benchmarks = {benchmark.name: benchmark for benchmark in benchmarks}
        candidates = [
            MeasurementCandidate(
                name, calls_of(one.graph, layout), one.model.flatbuffer_bytes, True
            )
            for name, one in self._networks.items()
        ]
        for name, benchmark in self._benchmarks.items():
            calls = benchmark.calls(layout)
            candidates.append(MeasurementCandidate(name, calls, benchmark.flash_bytes, False))
        return candidates

    def measure(self, names: Sequence[str]) -> list[Sample]:
        """Measure networks, or single kernels."""
        networks = [self._networks[name] for name in names if name in self._networks]
        if networks:
            points = self._bench.networks(networks)
            self.points += points
            return [self.network(point) for point in points]
        measured = self._bench.kernels([self._benchmarks[name] for name in names])
        self.kernels += [measurement for _, measurement in measured]
        return [kernel_sample_of(m, one, self.context.layout) for one, m in measured]

    def network(self, point: Point) -> Sample:
        """A measured network as a sample."""
        return sample_of(point.measurement, point.network.graph, self.context.layout)


def _drawn(
    plan: CalibrationPlan, count: int, first: int, what: str = "drawing networks"
) -> list[DrawnNetwork]:
    networks = []
    for network in draw_samples(plan.board, count, plan.seed, first=first):
        networks.append(network)
        plan.tell(what, len(networks), count)
    return networks


def _context(
    plan: CalibrationPlan, bench: CalibrationLab, points: Sequence[Point]
) -> CalibrationContext:
    if not points:
        reasons = "; ".join(bench.failures[:2])
        raise StoreError(f"no network could be measured, so there is nothing to fit: {reasons}")
    return CalibrationContext.of(plan.board, points[0].measurement)


def _fitting(plan: CalibrationPlan) -> Callable[[int, int], None]:
    return lambda done, total: plan.tell("fitting models", done, total)
