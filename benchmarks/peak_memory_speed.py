# SPDX-License-Identifier: Apache-2.0
"""How long the exact peak memory takes: random architectures, the widest, and a hunt for worse.

    python benchmarks/peak_memory_speed.py [--count 2000] [--wide 300] [--hunt 60]

The hunt climbs: it morphs a wide architecture and keeps what takes the solver longer. Times are CPU
time of one call of ``peak_memory`` (input counted, no ADD in place), the best of three where the
first took over 10 ms, so that a busy machine shows less.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from unas.architecture import CnnArchitecture
from unas.resources.order_search import peak_memory
from unas.space.build import build_graph
from unas.space.cnn import CNN_SPACE, CnnSpace, random_architecture
from unas.space.morphs import random_morph
from unas.space.ranges import IntRange

_SHAPES = ((32, 32, 3), (64, 64, 3), (98, 40, 1))
# One serial block and nine parallel to it, three layers each: nothing in the space is wider.
_WIDEST = replace(CNN_SPACE, blocks=IntRange(10, 10), layers=IntRange(3, 3), p_parallel=1.0)


def solver_seconds(arch: CnnArchitecture, shape: tuple[int, int, int]) -> float:
    """CPU time of one call in seconds."""
    graph = build_graph(arch, shape, 10)
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        peak_memory(graph, count_input=True, in_place_add=False)
        best = min(best, time.process_time() - start)
        if best < 0.010:
            break
    return best


def _sample(space: CnnSpace, shape: tuple[int, int, int], count: int) -> list[float]:
    rng = np.random.default_rng(0)
    return [solver_seconds(random_architecture(rng, space), shape) for _ in range(count)]


def _hunt(space: CnnSpace, shape: tuple[int, int, int], seconds: float) -> list[float]:
    rng = np.random.default_rng(0)
    slowest = random_architecture(rng, space)
    times = [solver_seconds(slowest, shape)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        candidate = slowest
        for _ in range(int(rng.integers(1, 4))):
            candidate = random_morph(rng, candidate)
        taken = solver_seconds(candidate, shape)
        if taken >= max(times):
            slowest = candidate
        times.append(taken)
    return times


def _report(name: str, measure: Callable[[tuple[int, int, int]], list[float]]) -> None:
    for shape in _SHAPES:
        ms = np.array(measure(shape)) * 1e3
        columns = f"{np.median(ms):9.2f} {np.quantile(ms, 0.99):9.2f} {ms.max():9.2f}"
        print(f"{name:8} {'x'.join(map(str, shape)):10} {len(ms):6} {columns}")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="random architectures per shape")
    parser.add_argument("--wide", type=int, default=300, help="widest architectures per shape")
    parser.add_argument("--hunt", type=float, default=60.0, help="seconds of the hunt per shape")
    args = parser.parse_args()
    print(f"{'sample':8} {'input':10} {'n':>6} {'median ms':>9} {'p99 ms':>9} {'max ms':>9}")
    _report("random", lambda shape: _sample(CNN_SPACE, shape, args.count))
    _report("widest", lambda shape: _sample(_WIDEST, shape, args.wide))
    if args.hunt > 0:
        _report("hunted", lambda shape: _hunt(_WIDEST, shape, args.hunt))


if __name__ == "__main__":
    main()
