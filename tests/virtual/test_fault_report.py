# SPDX-License-Identifier: Apache-2.0
"""The firmware's own fault handler: what it keeps over the reset reaches the user."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from unas._paths import boards_dir
from unas.board import Board, load_board
from unas.errors import DeviceFaultError
from unas.firmware.build import Builder
from unas.graph import Graph, Operator, OperatorKind, PoolOptions, Tensor
from unas.hil.flash import VirtualFlasher
from unas.hil.measure import Failure, Procedure, measure_image
from unas.tflite.writer import write_flatbuffer

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)


def test_memory_that_is_not_there_is_a_fault_with_its_place_and_stage(
    f746: Board, tmp_path: Path
) -> None:
    """The firmware believes in 320 KiB; this machine has no SRAM2, where the arena ends."""
    text = (boards_dir() / "f746.toml").read_text()
    smaller = re.sub(r"\[\[memory\]\]\nname = \"sram2\".*?\n\n", "", text, flags=re.DOTALL)
    assert smaller != text
    (tmp_path / "f746.toml").write_text(smaller)
    tensors = (Tensor("in", (1, 8, 8, 1)), Tensor("out", (1, 4, 4, 1)))
    pool = Operator(OperatorKind.MAX_POOL_2D, (0,), 1, PoolOptions(2, 2, 2, 2))
    model = write_flatbuffer(Graph(tensors, (pool,), (0,), (1,)), seed=0, name="pool")
    image = Builder(f746, "fault").build([model])
    flasher = VirtualFlasher(load_board(str(tmp_path / "f746.toml")))
    try:
        (result,) = measure_image(flasher, image, f746, [model], Procedure(0, 1, 1))
    finally:
        flasher.close()
    assert isinstance(result, Failure)
    assert isinstance(result.error, DeviceFaultError)
    message = str(result.error)
    assert "stage 'open'" in message
    address = int(re.findall(r"address=0x([0-9a-f]{8})", message)[0], 16)
    sram2 = f746.region("sram2")
    assert sram2.start <= address < sram2.end
    pc = int(re.findall(r"pc=0x([0-9a-f]{8})", message)[0], 16)
    assert f746.region("flash").start < pc < f746.region("flash").start + image.flash_bytes
