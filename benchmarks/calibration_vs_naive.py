# SPDX-License-Identifier: Apache-2.0
"""Seconds per measured network: unas against the naive way, in one run on one machine.

The naive way, as most hardware-in-the-loop scripts have it: convert each network with TensorFlow,
build it cleanly with PlatformIO, flash it alone, time it. unas writes the flatbuffer itself, packs
many into one image, rebuilds only what changed and keeps two virtual boards busy.

Both measure the same networks on the virtual board with the same procedure. Usage:

    python benchmarks/calibration_vs_naive.py [--models 100] [--naive 6]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from unas.board import Board, load_board

RUNS = 1


def _naive(board: Board, count: int, folder: Path) -> list[float]:
    import tensorflow as _tensorflow  # noqa: F401  # its import is not charged to the naive way

    from unas.calibration import INPUT_SHAPE, LIMIT_BYTES, NUM_CLASSES
    from unas.firmware.build import Builder
    from unas.hil.flash import VirtualFlasher
    from unas.hil.measure import Procedure, measure_image
    from unas.resources.estimate import footprint
    from unas.space.build import build_graph
    from unas.space.cnn import CNN_SPACE
    from unas.space.sample import draw_within
    from unas.tflite.converter import convert_keras
    from unas.train.keras_model import build_keras_model

    def representative() -> Iterator[np.ndarray]:
        rng = np.random.default_rng(0)
        for _ in range(5):
            yield rng.random((1, *INPUT_SHAPE), dtype=np.float32)

    seconds = []
    flasher = VirtualFlasher(board)
    for index in range(count):
        architecture = draw_within(
            np.random.default_rng([0, index]),
            CNN_SPACE,
            INPUT_SHAPE,
            NUM_CLASSES,
            footprint=footprint,
            max_model_size_bytes=LIMIT_BYTES,
            max_peak_memory_bytes=LIMIT_BYTES,
        )
        started = time.monotonic()
        graph = build_graph(architecture, INPUT_SHAPE, NUM_CLASSES)
        keras_model = build_keras_model(graph, seed=index)
        model = convert_keras(keras_model, representative(), f"naive{index}")
        os.environ["UNAS_CACHE"] = str(folder / f"naive{index}")  # nothing is there: a clean build
        image = Builder(board, "naive").build([model])
        results = list(measure_image(flasher, image, board, [model], Procedure(0, RUNS, 1)))
        assert len(results) == 1
        seconds.append(time.monotonic() - started)
    flasher.close()
    return seconds


def _ours(board: Board, count: int, folder: Path) -> float:
    from unas.calibration import draw_samples
    from unas.hil.measure import Procedure
    from unas.lab.bench import Bench
    from unas.lab.lab import Lab
    from unas.testing.fakes import MemoryStore

    os.environ["UNAS_CACHE"] = str(folder / "unas")
    started = time.monotonic()
    samples = list(draw_samples(board, count, 0))
    bench = Bench(board, workers=2, procedure=Procedure(0, RUNS, 1))
    results = list(Lab(bench, MemoryStore()).measure([sample.model for sample in samples]))
    assert len(results) == count
    return (time.monotonic() - started) / count


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", type=int, default=100, help="networks for unas")
    parser.add_argument("--naive", type=int, default=6, help="networks for the naive way")
    options = parser.parse_args()
    board = load_board("f746")
    folder = Path(tempfile.mkdtemp(prefix="unas-bench-"))
    try:
        os.environ["PLATFORMIO_CORE_DIR"] = str(folder / "platformio")
        naive = _naive(board, options.naive, folder)
        ours = _ours(board, options.models, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    mean = sum(naive) / len(naive)
    print(
        json.dumps(
            {
                "naive_seconds_per_model": round(mean, 2),
                "unas_seconds_per_model": round(ours, 2),
                "ratio": round(mean / ours, 1),
                "naive_models": len(naive),
                "unas_models": options.models,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
