# SPDX-License-Identifier: Apache-2.0
"""Flashing a real unit, as far as it goes without one: only OpenOCD's part is played."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from unas.artifact import FirmwareImage
from unas.board import Board
from unas.errors import ToolError
from unas.firmware.build import Builder, platformio_environment
from unas.graph import Graph, Operator, OperatorKind, PoolOptions, Tensor
from unas.hil.flash import PlatformioFlasher
from unas.hil.units import Unit
from unas.record import Provenance
from unas.tflite.writer import write_flatbuffer

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)

UNIT = Unit("desk", "f746", "/dev/serial/by-id/desk", "066AFF515049")


def _image(board: Board, size: int) -> FirmwareImage:
    tensors = (Tensor("in", (1, size, size, 1)), Tensor("out", (1, size // 2, size // 2, 1)))
    pool = Operator(OperatorKind.MAX_POOL_2D, (0,), 1, PoolOptions(2, 2, 2, 2))
    model = write_flatbuffer(Graph(tensors, (pool,), (0,), (1,)), seed=0, name=f"pool{size}")
    return Builder(board, "upload").build([model], probe_serial=UNIT.probe_serial)


Openocd = Callable[[int], dict[str, str]]


@pytest.fixture
def openocd(tmp_path: Path) -> Openocd:
    """An environment whose openocd notes its arguments, keeps what it would flash, and ends so."""

    def play(code: int) -> dict[str, str]:
        program = tmp_path / "bin" / "openocd"
        program.parent.mkdir()
        program.write_text(
            "#!/bin/sh\n"
            f'printf "%s\\n" "$@" > {tmp_path}/arguments\n'
            f"cp .pio/build/f746/firmware.elf {tmp_path}/flashed.elf\n"
            f"echo Error: no device found >&2\nexit {code}\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        environment = platformio_environment()
        return {**environment, "PATH": f"{program.parent}{os.pathsep}{environment['PATH']}"}

    return play


@pytest.mark.slow
def test_the_image_goes_to_the_probe_of_the_unit(
    f746: Board, tmp_path: Path, openocd: Openocd
) -> None:
    """Also after the project has built another image."""
    image = _image(f746, 8)
    elf = tmp_path / "kept.elf"
    elf.write_bytes(image.elf.read_bytes())
    other = _image(f746, 12)
    assert other.image_hash != image.image_hash
    kept = FirmwareImage(
        elf,
        image.project,
        image.board_id,
        image.firmware_hash,
        image.image_hash,
        image.models,
        image.flash_bytes,
        image.region_bytes,
    )
    flasher = PlatformioFlasher(UNIT, openocd(0))
    assert flasher.flash(kept) == UNIT.port
    assert flasher.provenance is Provenance.MEASURED
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[:2] == ["-f", "board/st_nucleo_f7.cfg"]
    assert f"hla_serial {UNIT.probe_serial}" in arguments
    assert arguments[-1].startswith("program {")
    assert arguments[-1].endswith("} verify reset; shutdown")
    assert (tmp_path / "flashed.elf").read_bytes() == elf.read_bytes()


def test_a_probe_that_fails_is_one_clear_error(f746: Board, openocd: Openocd) -> None:
    with pytest.raises(ToolError, match=r"flashing desk failed.*USB cable"):
        PlatformioFlasher(UNIT, openocd(1)).flash(_image(f746, 8))
