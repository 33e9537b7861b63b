# SPDX-License-Identifier: Apache-2.0
"""One model on every board that stands for silicon: the same bytes, each at its own clock."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from unas.artifact import Flatbuffer
from unas.board import load_board
from unas.firmware.build import Builder
from unas.hil.flash import VirtualFlasher
from unas.hil.measure import Procedure, measure_image
from unas.record import Measurement, Provenance
from unas.space.cnn import random_architecture
from unas.tflite.order import exported_graph
from unas.tflite.writer import write_flatbuffer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
    ),
]


def _measure(board_id: str, model: Flatbuffer) -> Measurement:
    board = load_board(board_id)
    flasher = VirtualFlasher(board)
    try:
        image = Builder(board, "boards").build([model])
        (found,) = measure_image(flasher, image, board, [model], Procedure(0, 1, 5))
    finally:
        flasher.close()
    assert isinstance(found, Measurement), found
    assert found.provenance is Provenance.EMULATED
    assert found.clock_hz == board.core_clock_hz
    assert found.board_id == board_id
    assert found.output.equal
    return found


def test_boards_agree_on_everything_but_time() -> None:
    architecture = random_architecture(np.random.default_rng(2))
    model = write_flatbuffer(exported_graph(architecture, (8, 8, 3), 4), seed=2, name="net")
    fast, slow = _measure("f746", model), _measure("l4r5", model)
    assert fast.output_sha256 == slow.output_sha256
    assert fast.arena.used_bytes == slow.arena.used_bytes
    assert [op.name for op in fast.operators] == [op.name for op in slow.operators]
    assert fast.latency_us < slow.latency_us
    caches = {found.board_id: found.info["icache"] + found.info["dcache"] for found in (fast, slow)}
    assert caches == {"f746": "11", "l4r5": "00"}
