# SPDX-License-Identifier: Apache-2.0
"""QEMU as the witness: the same ELF in both emulators gives the same bytes and the same counts."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest

from tests.firmware.random_graphs import draw_network
from unas.artifact import FirmwareImage, Flatbuffer
from unas.board import load_board
from unas.errors import ConfigError, EmulatorError
from unas.firmware.build import Builder
from unas.hil.flash import Flasher, QemuFlasher, VirtualFlasher
from unas.hil.measure import Procedure, measure_image
from unas.record import Measurement, Provenance
from unas.tflite.writer import write_flatbuffer

pytestmark = pytest.mark.slow

needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None,
    reason="qemu-system-arm is not installed (make setup installs it where apt may be used)",
)
_RUNS = Procedure(warmup=1, runs=2, seed=3)


def _networks() -> list[Flatbuffer]:
    """Several operators each, all kernels among them."""
    rng = np.random.default_rng(8)
    graphs = [draw_network(rng, operators=6) for _ in range(12)]
    return [write_flatbuffer(g, seed=i, name=f"qemu-{i}") for i, g in enumerate(graphs)]


def _measure(flasher: Flasher, image: FirmwareImage, models: list[Flatbuffer]) -> list[Measurement]:
    board = load_board(image.board_id)
    try:
        results = list(measure_image(flasher, image, board, models, _RUNS))
    finally:
        flasher.close()
    found = [result for result in results if isinstance(result, Measurement)]
    assert len(found) == len(models), results
    return found


@needs_qemu
@pytest.mark.parametrize("board_id", ["an386", "an500"])
def test_counts_and_bytes_are_those_of_unicorn(board_id: str) -> None:
    board = load_board(board_id)
    models = _networks()
    image = Builder(board, "qemu-test").build(models)
    by_qemu = _measure(QemuFlasher(board), image, models)
    by_unicorn = _measure(VirtualFlasher(board), image, models)
    for one, other in zip(by_qemu, by_unicorn, strict=True):
        assert one.output.equal
        assert other.output.equal
        assert one.output_sha256 == other.output_sha256
        assert one.samples_cycles == other.samples_cycles
        assert one.cold_cycles == other.cold_cycles
        # Only the virtual board has a trace port: there, instructions a second time, and the same.
        assert [op.cycles for op in one.operators] == [op.cycles for op in other.operators]
        assert [op.cycles for op in other.operators] == [op.instructions for op in other.operators]
        assert one.arena == other.arena
        assert one.timing == other.timing == "instructions"
        assert one.provenance is other.provenance is Provenance.EMULATED


def test_a_board_without_a_machine_in_qemu_is_refused() -> None:
    with pytest.raises(ConfigError, match="no machine in QEMU"):
        QemuFlasher(load_board("f746"))


@needs_qemu
def test_a_qemu_that_does_not_start_tells_why() -> None:
    board = dataclasses.replace(load_board("an386"), qemu_machine="no-such-machine")
    image = Builder(board, "qemu-test").build(_networks()[:1])
    flasher = QemuFlasher(board)
    try:
        with pytest.raises(EmulatorError, match=r"did not start: .*unsupported machine"):
            flasher.flash(image)
    finally:
        flasher.close()
