# SPDX-License-Identifier: Apache-2.0
"""How good latency and arena models are on networks they never saw, and what a prediction costs.

Draws 300 networks as the paper's experiment does and measures them on the virtual board (some
twenty minutes the first time; what was measured before is not measured again). Fits on the first
20 and the first 100, and judges on the last 200. Models given on the command line are measured and
predicted too: networks from outside of the search space.

    python benchmarks/latency_accuracy.py [--board f746] [MODEL.tflite …]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unas._paths import cache_dir
from unas.artifact import Flatbuffer
from unas.board import load_board
from unas.calibration.draw import Point, draw_samples
from unas.calibration.learn import CalibrationContext, evaluated_on
from unas.calibration.measuring import CalibrationLab
from unas.cost.memory import ArenaModel
from unas.cost.model import MODELS
from unas.cost.model_selection import Fitted
from unas.cost.types import Sample
from unas.graph import Graph
from unas.hil.measure import Procedure
from unas.lab.bench import Bench
from unas.lab.lab import Lab
from unas.record import Measurement
from unas.store.cache import DirectoryStore
from unas.store.measurements import sample_of
from unas.tflite.reader import read_flatbuffer

TEST, TRAIN = 200, (20, 100)


def _print_latency(count: int, fitted: Fitted, test: Sequence[Sample]) -> None:
    judged = evaluated_on(fitted, test)
    for name in MODELS:
        quality = judged.quality(name)
        chosen = "chosen" if name == fitted.model.name else ""
        print(
            f"{count:4d}  {name:16s} {quality.fit.mape_percent:6.2f} % "
            f"{quality.fit.within_10_percent:6.1f} % {quality.fit.spearman:8.4f} "
            f"{quality.coverage_percent:7.1f} % {quality.interval_percent:7.1f} % "
            f"{quality.worst_percent:6.0f} %  {chosen}"
        )


def _print_arena(count: int, train: Sequence[Point], test: Sequence[Point]) -> None:
    model = ArenaModel.fit(
        [p.network.graph for p in train], [p.measurement.arena.used_bytes for p in train]
    )
    ratio = np.array(
        [model.predict(p.network.graph).value / p.measurement.arena.used_bytes for p in test]
    )
    print(
        f"{count:4d}  arena: within 3 %: {(np.abs(ratio - 1) <= 0.03).mean() * 100:.1f} %, exact "
        f"{(ratio == 1).mean() * 100:.1f} %, worst below {max(1 - ratio.min(), 0) * 100:.2f} %, "
        f"worst above {max(ratio.max() - 1, 0) * 100:.2f} %"
    )


def _print_speed(fitted: Fitted, graphs: Sequence[Graph]) -> None:
    """CPU time of this process: the machine may be busy."""
    times = []
    for graph in graphs:
        started = time.process_time()
        fitted.model.latency_us(graph)
        times.append((time.process_time() - started) * 1e3)
    print(
        f"one prediction of {fitted.model.name}: median {statistics.median(times):.2f} ms, "
        f"mean {statistics.fmean(times):.2f} ms of CPU time"
    )


def _outside(bench: Bench, fitted: Fitted, paths: Sequence[Path]) -> None:
    store = DirectoryStore(cache_dir() / "measurements")
    for path in paths:
        model = Flatbuffer(path.read_bytes(), path.stem)
        ((result, _),) = list(Lab(bench, store).measure([model]))
        if not isinstance(result, Measurement):
            raise result.error
        graph = read_flatbuffer(model.data, path.name)
        for name in MODELS:
            predicted = fitted.models[name].latency_us(graph)
            print(
                f"{path.stem:24s} {name:16s} predicted {predicted.value / 1e3:8.3f} ms "
                f"[{predicted.lower / 1e3:.3f}, {predicted.upper / 1e3:.3f}], "
                f"{result.provenance} {result.latency_us / 1e3:8.3f} ms: "
                f"{(predicted.value / result.latency_us - 1) * 100:+.1f} %"
            )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Accuracy of latency and arena models.")
    parser.add_argument("--board", default="f746")
    parser.add_argument("models", nargs="*", type=Path)
    given = parser.parse_args()
    board = load_board(given.board)
    bench = Bench(board, procedure=Procedure(0, 1))
    lab = CalibrationLab(bench, DirectoryStore(cache_dir() / "measurements"))
    points = lab.networks(list(draw_samples(board, max(TRAIN) + TEST, 0)))
    context = CalibrationContext.of(board, points[0].measurement)
    samples = [sample_of(p.measurement, p.network.graph, context.layout) for p in points]
    print(
        f"{board.id}, {context.identity['provenance']}, {context.identity['timing']}: {TEST} held"
    )
    print("   n  model              MAPE   within 10 %  Spearman coverage  interval   worst")
    fitted = None
    for count in TRAIN:
        fitted = context.fit(samples[:count], seed=0)
        _print_latency(count, fitted, samples[-TEST:])
        _print_arena(count, points[:count], points[-TEST:])
    if fitted is not None:
        _print_speed(fitted, [p.network.graph for p in points[-TEST:]])
        _outside(bench, fitted, given.models)


if __name__ == "__main__":
    main()
