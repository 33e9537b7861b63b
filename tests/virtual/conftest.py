# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.virtual.probe_board import ProbeBoard, compile_firmware


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Gives the probe firmware; each argument is a BREAK_* of firmware/board.c."""
    folder = tmp_path_factory.mktemp("firmware")
    return lambda *breaks: compile_firmware(folder, ("probe.c", "board.c"), breaks)


@pytest.fixture
def probe(firmware: Callable[..., Path]) -> Iterator[ProbeBoard]:
    """A virtual board that waits for commands."""
    board = ProbeBoard(firmware())
    assert board.boot() == b"!"
    yield board
    board.machine.close()
