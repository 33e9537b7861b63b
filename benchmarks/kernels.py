# SPDX-License-Identifier: Apache-2.0
"""Instructions per multiply-accumulate: the kernels for Armv7E-M beside the plain ones.

A grid of single operators in the shapes of the search space, each run on the virtual board with
the runtimes ``builtin`` and ``builtin-plain`` built from the same sources in the same way. Outputs
must equal the golden ones. Exit code 1 if a cell is slower than with the plain kernels, or if a
published model misses what it must reach.

Published counts of TensorFlow Lite Micro with CMSIS-NN: commit 90b983c2b, gcc 12.2 -O2, exact
instructions on an emulated Cortex-M7, the same models. Usage:

    python benchmarks/kernels.py [--board f746] [kws_ref_model.tflite pretrainedResnet_quant.tflite]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unas.artifact import Flatbuffer
from unas.board import load_board
from unas.errors import UnasError
from unas.firmware.runtimes import BUILTIN, BUILTIN_PLAIN, Runtime
from unas.graph import (
    ConvOptions,
    DenseOptions,
    Graph,
    OperatorKind,
    Padding,
    PoolOptions,
)
from unas.graph.builder import GraphBuilder
from unas.hil.measure import Failure, Procedure
from unas.lab.bench import Bench
from unas.lab.lab import Lab
from unas.record import Measurement
from unas.resources.counts import operator_paper_macs
from unas.testing.fakes import MemoryStore
from unas.tflite.writer import write_flatbuffer


@dataclass(frozen=True, slots=True)
class Cell:
    """One operator: the last one of a graph."""

    name: str
    graph: Graph

    @property
    def work(self) -> int:
        """Multiply-accumulates; elements that a pool reads, or that an addition gives."""
        return operator_paper_macs(self.graph, self.graph.operators[-1])


@dataclass(frozen=True, slots=True)
class Published:
    """What TensorFlow Lite Micro with CMSIS-NN takes for a model, and what ours must reach."""

    macs: int
    instructions: int
    arena_bytes: int
    goal_instructions: int


PUBLISHED = {
    "kws_ref_model": Published(2_656_768, 7_645_759, 22_820, 4_600_000),
    "pretrainedResnet_quant": Published(12_501_632, 30_027_128, 54_996, 18_000_000),
}

# height, width, channels in, filters, kernel, stride
CONVOLUTIONS = (
    (32, 32, 3, 8, 3, 1), (32, 32, 3, 16, 3, 1), (32, 32, 3, 16, 3, 2), (28, 28, 1, 8, 3, 1),
    (28, 28, 1, 8, 5, 2), (28, 28, 1, 32, 7, 2), (28, 28, 1, 4, 3, 1), (32, 32, 3, 5, 5, 1),
    (32, 32, 3, 24, 7, 2), (28, 28, 1, 6, 1, 1), (32, 32, 3, 10, 1, 1), (16, 16, 2, 3, 3, 1),
    (16, 16, 16, 16, 3, 1), (16, 16, 8, 16, 3, 2), (12, 12, 10, 18, 3, 1), (14, 14, 7, 9, 3, 1),
    (14, 14, 5, 3, 3, 1), (8, 8, 32, 32, 3, 1), (8, 8, 12, 20, 5, 1), (7, 7, 64, 32, 3, 2),
    (4, 4, 64, 64, 3, 1), (3, 3, 30, 50, 3, 1), (8, 8, 6, 6, 7, 1), (2, 2, 16, 24, 3, 1),
    (32, 32, 8, 16, 1, 1), (16, 16, 16, 64, 1, 1), (16, 16, 64, 16, 1, 1), (8, 8, 13, 21, 1, 1),
    (8, 8, 64, 64, 1, 1), (8, 8, 64, 64, 1, 2), (5, 5, 96, 24, 1, 1), (4, 4, 128, 128, 1, 1),
    (2, 2, 128, 64, 1, 1), (1, 1, 128, 64, 1, 1), (1, 1, 30, 10, 1, 1), (3, 3, 5, 7, 1, 1),
    (1, 1, 64, 64, 3, 1), (2, 2, 32, 16, 3, 2), (2, 2, 8, 8, 5, 1), (6, 6, 2, 1, 5, 1),
)  # fmt: skip
# height, width, channels, multiplier, kernel, stride
DEPTHWISE = (
    (25, 5, 64, 1, 3, 1), (16, 16, 16, 1, 3, 1), (16, 16, 8, 1, 5, 1), (16, 16, 24, 1, 7, 1),
    (16, 16, 16, 1, 3, 2), (12, 12, 10, 1, 3, 1), (14, 14, 3, 1, 3, 1), (28, 28, 1, 1, 3, 1),
    (28, 28, 1, 8, 3, 1), (28, 28, 1, 16, 5, 2), (32, 32, 3, 4, 3, 1), (16, 16, 5, 2, 3, 1),
    (4, 4, 128, 1, 3, 1), (2, 2, 33, 1, 3, 1), (7, 7, 6, 1, 5, 2), (8, 8, 17, 3, 3, 1),
)  # fmt: skip
DENSE = (
    (64, 12),
    (64, 10),
    (640, 128),
    (128, 128),
    (128, 8),
    (13, 7),
    (784, 10),
    (3, 5),
    (256, 1),
    (16, 4),
)
# height, width, channels, window, stride
POOLS = (
    (16, 16, 16, 2, 2), (16, 16, 10, 2, 2), (25, 5, 64, 5, 5), (8, 8, 64, 8, 8), (15, 15, 7, 3, 2),
    (12, 12, 3, 3, 1), (9, 9, 33, 3, 3),
)  # fmt: skip
ADDITIONS = ((32, 32, 16), (8, 8, 64), (7, 7, 5), (3, 3, 3))


def cells() -> Iterator[Cell]:
    """The grid."""
    for height, width, channels, filters, kernel, stride in CONVOLUTIONS:
        builder = GraphBuilder()
        x = builder.input("x", (1, height, width, channels))
        options = ConvOptions(Padding.SAME, stride, stride)
        y = builder.conv("y", x, filters=filters, kernel=kernel, options=options)
        name = f"conv {height}x{width}x{channels} -> {filters}, {kernel}x{kernel}/{stride}"
        yield Cell(name, builder.finish(y))
    for height, width, channels, multiplier, kernel, stride in DEPTHWISE:
        builder = GraphBuilder()
        x = builder.input("x", (1, height, width, channels))
        options = ConvOptions(Padding.SAME, stride, stride, depth_multiplier=multiplier)
        y = builder.depthwise("y", x, kernel=kernel, options=options)
        name = f"depthwise {height}x{width}x{channels} *{multiplier}, {kernel}x{kernel}/{stride}"
        yield Cell(name, builder.finish(y))
    for features, units in DENSE:
        builder = GraphBuilder()
        x = builder.input("x", (1, features))
        y = builder.dense("y", x, units=units, options=DenseOptions())
        yield Cell(f"fully connected {features} -> {units}", builder.finish(y))
    yield from _pools_and_additions()


def _pools_and_additions() -> Iterator[Cell]:
    for kind in (OperatorKind.AVERAGE_POOL_2D, OperatorKind.MAX_POOL_2D):
        for height, width, channels, window, stride in POOLS:
            builder = GraphBuilder()
            x = builder.input("x", (1, height, width, channels))
            options = PoolOptions(window, window, stride, stride)
            y = builder.pool("y", kind, x, options)
            word = "average" if kind is OperatorKind.AVERAGE_POOL_2D else "max"
            name = f"{word} pool {height}x{width}x{channels}, {window}x{window}/{stride}"
            yield Cell(name, builder.finish(y))
    for height, width, channels in ADDITIONS:
        builder = GraphBuilder()
        x = builder.input("x", (1, height, width, channels))
        other = builder.pool("other", OperatorKind.MAX_POOL_2D, x, PoolOptions(1, 1, 1, 1))
        y = builder.add("y", x, other)
        yield Cell(f"add {height}x{width}x{channels}", builder.finish(y))


def measure(models: Sequence[Flatbuffer], board: str, runtime: Runtime) -> dict[str, Measurement]:
    """Measurements by the models' digests; the emulator counts exactly, so one run is enough.

    Raises:
        UnasError: A model does not run, or its output differs from the golden one.
    """
    bench = Bench(load_board(board), procedure=Procedure(0, 1), runtime=runtime)
    found = {}
    for result, _ in Lab(bench, MemoryStore()).measure(models):
        if isinstance(result, Failure):
            raise result.error
        if not result.output.equal:
            raise UnasError(f"{result.model_name}: wrong output with {runtime.name}; see its tests")
        found[result.model_sha256] = result
    return found


def _instructions(measurement: Measurement) -> int:
    count = measurement.operators[-1].instructions
    if count is None:
        raise UnasError("the board counts no instructions; name one with a virtual machine")
    return count


def print_grid(board: str) -> bool:
    """The grid; True if no cell is slower than with the plain kernels."""
    grid = list(cells())
    models = [write_flatbuffer(c.graph, seed=i, name=c.name) for i, c in enumerate(grid)]
    fast, plain = (measure(models, board, runtime) for runtime in (BUILTIN, BUILTIN_PLAIN))
    print(f"{'instructions per MAC':44} {'MACs':>9} {'dsp':>7} {'plain':>7} {'ratio':>6}")
    ratios = []
    for cell, model in zip(grid, models, strict=True):
        ours, theirs = (_instructions(found[model.sha256]) for found in (fast, plain))
        ratios.append(ours / theirs)
        columns = f"{ours / cell.work:7.2f} {theirs / cell.work:7.2f} {theirs / ours:6.2f}"
        print(f"{cell.name:44} {cell.work:9,} {columns}")
    worst = max(range(len(grid)), key=ratios.__getitem__)
    print(f"worst: {grid[worst].name}, {1 / ratios[worst]:.2f} times as fast as the plain kernel")
    return ratios[worst] <= 1


def print_published(paths: Sequence[Path], board: str) -> bool:
    """The rows of published models; True if each is within its goals."""
    models = [Flatbuffer(path.read_bytes(), path.stem) for path in paths]
    found = measure(models, board, BUILTIN)
    print(f"\n{'model':24} {'instructions':>12} {'of':>12} {'/MAC':>5} {'arena':>7} {'of':>7}")
    met = True
    for model in models:
        ours, theirs = found[model.sha256], PUBLISHED[model.name]
        instructions, arena = ours.instructions or 0, ours.arena.used_bytes
        row = f"{instructions:12,} {theirs.instructions:12,} {instructions / theirs.macs:5.2f}"
        print(f"{model.name:24} {row} {arena:7,} {theirs.arena_bytes:7,}")
        met &= instructions <= theirs.goal_instructions and arena <= theirs.arena_bytes
    print("of: TensorFlow Lite Micro with CMSIS-NN")
    return met


def main() -> int:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path, help="published models, .tflite")
    parser.add_argument("--board", default="f746", help="one with a virtual machine")
    args = parser.parse_args()
    unknown = [path.name for path in args.models if path.stem not in PUBLISHED]
    if unknown:
        parser.error(f"no published count for {', '.join(unknown)}; known: {', '.join(PUBLISHED)}")
    met = print_grid(args.board)
    if args.models:
        met &= print_published(args.models, args.board)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
