# SPDX-License-Identifier: Apache-2.0
"""A whole calibration: draw, measure, fit; plainly, or until held-out networks are right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from unas.board import Board
from unas.calibrate.active import Goal, Round, sample_actively
from unas.calibrate.bench import CalibrationBench
from unas.calibrate.draw import DrawnNetwork, Point, draw_samples
from unas.calibrate.kernels import KernelBenchmark, single_kernels
from unas.calibrate.learn import (
    CalibrationContext,
    check_one_kind,
    findings_of,
    judged_on,
    kernel_sample_of,
    merged,
)
from unas.calibrate.uncertainty import Candidate
from unas.cost.operators import calls_of
from unas.cost.types import Sample
from unas.errors import StoreError
from unas.firmware.pack import PROGRAM_BYTES
from unas.record import Measurement
from unas.store.calibration import CalibrationResults
from unas.store.environment import environment
from unas.store.measurements import sample_of

# Networks to begin with: an interval at the usual level needs about as many.
_START = 10
# Networks that stand for all when latency is predicted; their kernels are the candidates.
_RANDOM_NETWORKS = 60
_KERNELS_PER_NETWORK = 8

Tell = Callable[[str, int, int], None]
"""Told what is going on, how much of it is done, and of how much."""


def _tell_nobody(_what: str, _done: int, _total: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Plan:
    """What to calibrate with.

    Attributes:
        board: Kind of board.
        networks: To measure; with a goal: most to train on.
        kernels: Single operators to measure; with a goal: most.
        seed: Of draws and fits.
        command: The options that were given.
        source: What is measured on, for the environment.
        tell: Told of progress.
        on_round: Told each round of active sampling.
    """

    board: Board
    networks: int
    kernels: int
    seed: int
    command: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    tell: Tell = _tell_nobody
    on_round: Callable[[Round], None] = lambda _: None


def calibrate_plainly(plan: Plan, bench: CalibrationBench) -> CalibrationResults:
    """Measure random networks, and random kernels of others, and fit.

    Raises:
        UnasError: The bench failed, or too little could be measured.
    """
    points = bench.networks(_drawn(plan, plan.networks, 0))
    setting = _setting(plan, bench, points)
    alone: list[tuple[KernelBenchmark, Measurement]] = []
    if plan.kernels:
        count = -(-plan.kernels // _KERNELS_PER_NETWORK) + 1
        others = _drawn(plan, count, plan.networks, "drawing others")
        benchmarks = single_kernels(network.graph for network in others)
        rng = np.random.default_rng(plan.seed)
        chosen = sorted(rng.permutation(len(benchmarks))[: plan.kernels])
        alone = bench.kernels([benchmarks[i] for i in chosen])
    samples = [sample_of(p.measurement, p.network.graph, setting.layout) for p in points]
    samples += [kernel_sample_of(m, one, setting.layout) for one, m in alone]
    check_one_kind(bench.measurements)
    fitted = setting.fit(merged(samples), plan.seed, _fitting(plan))
    found = environment(plan.board, points[0].measurement, plan.command, plan.source)
    measured = [m for _, m in alone]
    return findings_of(points, measured, samples, fitted, found, seed=plan.seed)


def calibrate_until(
    plan: Plan, bench: CalibrationBench, wanted_percent: float, held_out: int
) -> CalibrationResults:
    """Measure what the model is least sure about, until held-out networks are predicted well.

    The first networks of the seed are held out, the next ten begin; what is stored already costs
    nothing, so an interrupted run goes on where it was.

    Args:
        plan: What to calibrate with.
        bench: Measures.
        wanted_percent: Mean absolute relative error of the held-out networks' latency, at most.
        held_out: How many networks to judge by.

    Raises:
        UnasError: The bench failed, or too little could be measured.
    """
    start = min(_START, plan.networks)
    pool = max(plan.networks - start, _RANDOM_NETWORKS)
    drawn = _drawn(plan, held_out + start + pool, 0)
    judges = bench.networks(drawn[:held_out])
    begun = bench.networks(drawn[held_out : held_out + start])
    work = _Work(plan, bench, _setting(plan, bench, [*judges, *begun]))
    tests = [work.network(point) for point in judges]
    first = [work.network(point) for point in begun]
    goal = Goal(
        mape_percent=wanted_percent,
        most_networks=plan.networks,
        most_kernels=plan.kernels,
        room_bytes=plan.board.flash_bytes - PROGRAM_BYTES,
    )
    outcome = sample_actively(
        tests,
        first,
        work.candidates(drawn[held_out:], drawn[held_out + start :]),
        work.measure,
        lambda samples: work.setting.fit(merged(samples), plan.seed, _fitting(plan)),
        goal,
        work.setting.traits,
        seed=plan.seed,
        on_round=plan.on_round,
    )
    check_one_kind(bench.measurements)
    found = environment(plan.board, judges[0].measurement, plan.command, plan.source)
    sampling = outcome.to_json_dict() | {
        "until_mape_percent": wanted_percent,
        "held_out": [sample.name for sample in tests],
        "effort": asdict(bench.effort()),
    }
    return findings_of(
        [*judges, *begun, *work.points],
        work.kernels,
        [*tests, *outcome.samples],
        judged_on(outcome.fitted, tests),
        found,
        seed=plan.seed,
        sampling=sampling,
    )


class _Work:
    """Measures candidates by name, and keeps what was found."""

    def __init__(self, plan: Plan, bench: CalibrationBench, setting: CalibrationContext) -> None:
        self.setting, self._plan, self._bench = setting, plan, bench
        self.points: list[Point] = []
        self.kernels: list[Measurement] = []
        self._networks: dict[str, DrawnNetwork] = {}
        self._benchmarks: dict[str, KernelBenchmark] = {}

    def candidates(
        self, sources: Sequence[DrawnNetwork], networks: Sequence[DrawnNetwork]
    ) -> list[Candidate]:
        """Networks, and the single kernels of other networks."""
        layout = self.setting.layout
        self._networks = {network.architecture_id: network for network in networks}
        benchmarks = single_kernels(network.graph for network in sources)
        self._benchmarks = {benchmark.name: benchmark for benchmark in benchmarks}
        found = [
            Candidate(name, calls_of(one.graph, layout), one.model.flatbuffer_bytes, True)
            for name, one in self._networks.items()
        ]
        for name, benchmark in self._benchmarks.items():
            calls = benchmark.calls(layout)
            found.append(Candidate(name, calls, benchmark.flash_bytes, False))
        return found

    def measure(self, names: Sequence[str]) -> list[Sample]:
        """Measure what was chosen."""
        networks = [self._networks[name] for name in names if name in self._networks]
        if networks:
            points = self._bench.networks(networks)
            self.points += points
            return [self.network(point) for point in points]
        found = self._bench.kernels([self._benchmarks[name] for name in names])
        self.kernels += [measurement for _, measurement in found]
        return [kernel_sample_of(m, one, self.setting.layout) for one, m in found]

    def network(self, point: Point) -> Sample:
        """As a sample."""
        return sample_of(point.measurement, point.network.graph, self.setting.layout)


def _drawn(
    plan: Plan, count: int, first: int, what: str = "drawing networks"
) -> list[DrawnNetwork]:
    networks = []
    for network in draw_samples(plan.board, count, plan.seed, first=first):
        networks.append(network)
        plan.tell(what, len(networks), count)
    return networks


def _setting(plan: Plan, bench: CalibrationBench, points: Sequence[Point]) -> CalibrationContext:
    if not points:
        reasons = "; ".join(bench.failures[:2])
        raise StoreError(f"no network could be measured, so there is nothing to fit: {reasons}")
    return CalibrationContext.of(plan.board, points[0].measurement)


def _fitting(plan: Plan) -> Callable[[int, int], None]:
    return lambda done, total: plan.tell("fitting models", done, total)
