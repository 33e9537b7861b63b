# SPDX-License-Identifier: Apache-2.0
"""The two ways to export a network cost the same on the board: cycles, instructions, arena."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import numpy as np
import pytest

from unas.artifact import Flatbuffer
from unas.board import Board
from unas.firmware.build import Builder
from unas.firmware.sizes import pack
from unas.hil.flash import VirtualFlasher
from unas.hil.measure import Procedure, measure_image
from unas.record import Measurement
from unas.space.build import build_graph
from unas.space.cnn import random_architecture
from unas.tflite.order import exported_graph, reorder_flatbuffer
from unas.tflite.writer import write_flatbuffer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
    ),
]

SHAPE = (12, 12, 3)
COUNT = int(os.environ.get("UNAS_AGREEMENT_MODELS", "4"))


def _converted(seed: int) -> Flatbuffer:
    """Keras, then TFLiteConverter, then our order."""
    from unas.tflite.converter import convert_keras
    from unas.train.keras_model import build_keras_model

    architecture = random_architecture(np.random.default_rng(seed))
    model = build_keras_model(build_graph(architecture, SHAPE, 10), seed=seed)
    rng = np.random.default_rng(seed)

    def representative() -> Iterator[np.ndarray]:
        for _ in range(4):
            yield rng.random((1, *SHAPE), dtype=np.float32)

    return reorder_flatbuffer(convert_keras(model, representative(), f"converted{seed}"))


def _written(seed: int) -> Flatbuffer:
    architecture = random_architecture(np.random.default_rng(seed))
    return write_flatbuffer(
        exported_graph(architecture, SHAPE, 10), seed=seed, name=f"written{seed}"
    )


def test_both_ways_cost_the_same(f746: Board) -> None:
    models = [way(seed) for seed in range(COUNT) for way in (_converted, _written)]
    flasher, builder = VirtualFlasher(f746), Builder(f746, "agreement")
    try:
        found = []
        for batch in pack(models, f746):
            image = builder.build(batch)
            found += list(measure_image(flasher, image, f746, batch, Procedure(0, 1, 1)))
    finally:
        flasher.close()
    by_name = {result.model_name: result for result in found}
    for seed in range(COUNT):
        converted, written = by_name[f"converted{seed}"], by_name[f"written{seed}"]
        assert isinstance(converted, Measurement), converted
        assert isinstance(written, Measurement), written
        assert converted.output.equal
        assert written.output.equal
        assert [op.name for op in converted.operators] == [op.name for op in written.operators]
        assert converted.arena == written.arena
        # Weights decide a few branches (saturation), and through them what the branch predictor
        # and the caches remember: instructions agree to a promille, cycles to half a per cent.
        assert converted.instructions == pytest.approx(written.instructions, rel=1e-3)
        assert converted.median_cycles == pytest.approx(written.median_cycles, rel=5e-3)
