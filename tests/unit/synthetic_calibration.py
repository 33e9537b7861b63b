# SPDX-License-Identifier: Apache-2.0
"""A calibration of a board that does not exist: its cycles are a known function of the kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unas.cost.intervals import ConformalInterval, Uncertainty
from unas.cost.mac_line import fit_quantity
from unas.cost.memory import DESCRIPTIONS, ArenaModel
from unas.cost.model import BOOSTED, MODELS, LatencyModel, OverheadModel, fit_core
from unas.cost.model_selection import LEVEL, Fitted, HeldOut
from unas.cost.operators import ArenaLayout, Kernel, calls_of
from unas.cost.terms import family
from unas.cost.types import KernelProfile, Sample
from unas.graph import (
    Activation,
    ConvOptions,
    DenseOptions,
    Graph,
    OperatorKind,
    Padding,
    PoolOptions,
)
from unas.graph.builder import GraphBuilder
from unas.resources.estimate import estimate
from unas.store.calibration import (
    Calibration,
    CalibrationResults,
    read_calibration,
    write_calibration,
)

CLOCK_HZ = 100_000_000
LAYOUT = ArenaLayout("made-up")
IDENTITY = {
    "board": "f746",
    "runtime": "builtin",
    "kernels": "made-up",
    "provenance": "emulated",
    "timing": "synthetic",
}


def network(rng: np.random.Generator) -> Graph:
    """A small network of convolutions, a pool and a dense layer."""
    build = GraphBuilder()
    x = build.input("input", (1, 16, 16, 3))
    for layer in range(int(rng.integers(1, 4))):
        size = int(rng.choice([1, 3, 5]))
        options = ConvOptions(Padding.SAME, activation=Activation.RELU)
        filters = int(rng.integers(3, 33))
        x = build.conv(f"conv{layer}", x, filters=filters, kernel=size, options=options)
        if rng.random() < 0.5:
            x = build.depthwise(f"depthwise{layer}", x, kernel=3, options=options)
    x = build.pool("pool", OperatorKind.MAX_POOL_2D, x, PoolOptions(2, 2, 2, 2))
    x = build.mean("mean", x)
    return build.finish(build.dense("dense", x, units=10, options=DenseOptions()))


def cycles_of(kernel: Kernel) -> float:
    """Channels beyond a multiple of four cost as much as four: what advice must find."""
    blocks = -(-kernel.output[2] // 4) * 4
    return 500.0 + 8.0 * kernel.pixels * blocks + 2.0 * kernel.pixels * blocks * kernel.taps


def fit(samples: list[Sample]) -> Fitted:
    """Models of the first half, judged on the second: one fold, where a calibration has ten."""
    half = len(samples) // 2
    train, test = samples[:half], samples[half:]
    models, held_out = {}, []
    for name in MODELS:
        model = LatencyModel(
            name=name,
            core=fit_core(name, train, KernelProfile("made-up"), 0),
            overhead=OverheadModel.fit(train),
            uncertainty=Uncertainty({}, 0.02),
            interval=ConformalInterval(LEVEL, 2.0),
            profile=KernelProfile("made-up"),
            layout=LAYOUT,
            clock_hz=float(CLOCK_HZ),
            identity=IDENTITY,
        )
        models[name] = model
        held_out += [judged(model, sample) for sample in test]
    return Fitted(models[BOOSTED], models, tuple(held_out))


def judged(model: LatencyModel, sample: Sample) -> HeldOut:
    """What a model says of a network it has not seen."""
    names = [family(call) for call in sample.calls]
    guessed = model.operators(sample.calls)
    operators = zip(names, sample.operator_cycles, map(float, guessed), strict=True)
    value = model.cycles(sample.calls)
    return HeldOut(
        sample.name, model.name, sample.cycles, value, sample.paper_macs, tuple(operators)
    )


def write_synthetic(folder: Path, count: int = 60) -> Calibration:
    """Fit on networks of that board and write what a calibration writes."""
    rng = np.random.default_rng(5)
    graphs = [network(rng) for _ in range(count)]
    samples = []
    for index, graph in enumerate(graphs):
        calls = calls_of(graph, LAYOUT)
        cycles = [cycles_of(c.kernel) * np.exp(0.01 * rng.standard_normal()) for c in calls]
        total = sum(cycles) * np.exp(0.01 * rng.standard_normal())
        samples.append(Sample(f"network{index}", calls, total, tuple(cycles)))
    used = [int(sum(DESCRIPTIONS["builtin-dsp"].count(graph))) for graph in graphs]
    fitted, arena = fit(samples), ArenaModel.fit(graphs, used)
    rows: list[dict[str, Any]] = []
    for sample, graph, arena_bytes in zip(samples, graphs, used, strict=True):
        figures = estimate(graph)
        rows.append(
            {
                "architecture_id": sample.name,
                "provenance": IDENTITY["provenance"],
                "timing": IDENTITY["timing"],
                "paper_macs": figures.paper_macs,
                "latency_us": sample.cycles * 1e6 / CLOCK_HZ,
                "peak_memory_bytes": figures.peak_memory_bytes,
                "arena_used_bytes": arena_bytes,
                "arena_predicted_bytes": arena.predict(graph).value,
            }
        )
    macs, latency = ([float(row[name]) for row in rows] for name in ("paper_macs", "latency_us"))
    line = fit_quantity("latency_us", "paper_macs", macs, latency, seed=0)
    folder.mkdir(parents=True, exist_ok=True)
    found = CalibrationResults(
        rows=rows,
        samples=samples,
        fitted=fitted,
        environment={"board": "f746"},
        arena=arena,
        lines={"latency": line},
    )
    write_calibration(folder, found)
    return read_calibration(folder)
