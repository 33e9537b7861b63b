# SPDX-License-Identifier: Apache-2.0
"""The virtual board that a flasher starts is the Board value that it was given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from unas.artifact import FirmwareImage
from unas.board import Board, load_board
from unas.errors import EmulatorError
from unas.hil.flash import Flasher, VirtualFlasher
from unas.names import Timing
from unas.testing.contracts import FlasherContract

Firmware = Callable[..., Path]


@contextmanager
def _flasher(board: Board, timing: Timing | None = None) -> Iterator[VirtualFlasher]:
    flasher = VirtualFlasher(board, timing=timing)
    try:
        yield flasher
    finally:
        flasher.close()


def _image(firmware: Firmware, board: Board) -> FirmwareImage:
    return FirmwareImage(firmware(), Path(), board.id, "", "", (), 0, {})


class TestVirtualFlasher(FlasherContract):
    @pytest.fixture(autouse=True)
    def _take_board(self, firmware: Firmware, f746: Board) -> None:
        self.firmware, self.board = firmware, f746

    def flasher(self) -> Flasher:
        return VirtualFlasher(self.board)

    def image(self) -> FirmwareImage:
        return _image(self.firmware, self.board)


def test_a_changed_value_is_what_runs(firmware: Firmware, f746: Board) -> None:
    """Not the file it was read from: that one has the best timing."""
    for board, timing in (
        (f746, "pipeline+memory"),
        (replace(f746, virtual_timing=Timing.PIPELINE), "pipeline"),
    ):
        with _flasher(board) as flasher:
            flasher.flash(_image(firmware, board))
            assert flasher.timing == timing


def test_a_changed_crystal_is_that_of_the_machine(firmware: Firmware, f746: Board) -> None:
    """With one of 16 MHz, the probe's set-up makes a clock that the chip cannot take."""
    changed = replace(f746, hse_hz=2 * f746.hse_hz)
    with _flasher(changed) as flasher:
        flasher.flash(_image(firmware, changed))
        deadline = time.monotonic() + 30
        while flasher.failure() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "Hz" in (flasher.failure() or "")


def test_a_file_that_changes_meanwhile_does_not_matter(
    firmware: Firmware, f746: Board, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f746.to_toml())
    board = load_board(str(path))
    with _flasher(board) as flasher:
        path.unlink()
        flasher.flash(_image(firmware, board))
        assert flasher.timing == "pipeline+memory"


def test_a_process_that_runs_as_another_board_is_an_error(firmware: Firmware, f746: Board) -> None:
    with _flasher(f746) as flasher:
        flasher._board_file.write_text(replace(f746, hse_hz=1_000_000).to_toml())
        with pytest.raises(EmulatorError, match="runs as another board"):
            flasher.flash(_image(firmware, f746))
        assert flasher._process is None
