# SPDX-License-Identifier: Apache-2.0
"""Flashers without a unit keep the contract; those with an emulator do in tests/virtual."""

from __future__ import annotations

from pathlib import Path

import pytest

from unas.artifact import FirmwareImage
from unas.board import Board
from unas.hil.flash import Flasher
from unas.testing.contracts import FlasherContract
from unas.testing.device import FakeDevice
from unas.testing.fakes import FakeFlasher, PtyFlasher


class TestFakeFlasher(FlasherContract):
    def flasher(self) -> Flasher:
        return FakeFlasher()

    def image(self) -> FirmwareImage:
        return FirmwareImage(Path(), Path(), "fake", "f", "i", (), 1, {})


class TestPtyFlasher(FlasherContract):
    @pytest.fixture(autouse=True)
    def _take_board(self, f746: Board) -> None:
        self.board = f746

    def flasher(self) -> Flasher:
        return PtyFlasher(self.board, FakeDevice())

    def image(self) -> FirmwareImage:
        return FirmwareImage(Path(), Path(), self.board.id, "f", "i", (), 1, {})
