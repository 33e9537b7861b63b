# SPDX-License-Identifier: Apache-2.0
"""QEMU in the place of a unit: a second emulator, that shares no line with Unicorn's machine.

(Unicorn's core comes from QEMU; its counting, its peripherals and our machine around it do not.)
"""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

from unas._process import Background, find_program, last_line, run
from unas.artifact import FirmwareImage
from unas.board import Board
from unas.errors import ConfigError, EmulatorError
from unas.hil.flasher import StageMark
from unas.record import Provenance

_PROGRAM = "qemu-system-arm"
_INSTALL = "install the package qemu-system-arm, or use --emulator unicorn"
_START_TIMEOUT_S = 30.0
_PORT = re.compile(r"char device redirected to (\S+) \(label serial0\)")
# One instruction takes 2^6 ns of QEMU's time: the port turns timer ticks back into instructions.
_EXACT = ("-icount", "shift=6,align=off,sleep=off")


def qemu_version() -> str:
    """First line of ``qemu-system-arm --version``.

    Raises:
        ToolError: It is not installed.
    """
    return run([find_program(_PROGRAM, _INSTALL), "--version"], timeout_s=20).stdout.splitlines()[0]


class QemuFlasher:
    """QEMU runs the ELF; its UART is a pty."""

    provenance = Provenance.EMULATED
    timing = "instructions"

    def __init__(self, board: Board) -> None:
        """Prepare the machine that the board file names.

        Raises:
            ConfigError: The board file names none.
            ToolError: QEMU is not installed.
        """
        if board.qemu_machine is None:
            raise ConfigError(
                f"board {board.id} has no machine in QEMU; use --emulator unicorn, "
                "or a board with 'qemu' in its board file"
            )
        self._program = find_program(_PROGRAM, _INSTALL)
        self._machine = board.qemu_machine
        self._board = board
        self._process: Background | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="unas-qemu-")

    def flash(self, image: FirmwareImage) -> str:
        """Start QEMU with the image; one that runs already is stopped."""
        self._stop()
        command = [self._program, "-M", self._machine, "-nographic", "-monitor", "none"]
        command += ["-serial", "pty", *_EXACT, "-kernel", str(image.elf)]
        self._process = Background(command, log=Path(self._folder.name) / "log")
        end = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < end:
            port = _PORT.search(self._process.output())
            if port is not None:
                return port[1]
            if self._process.exit_code() is not None:
                break
            time.sleep(0.02)
        raise EmulatorError(
            f"QEMU's {self._machine} did not start: {_reason(self._process.output())}; "
            f"try: {' '.join(command)}"
        )

    def stages(self) -> list[StageMark]:
        """QEMU has no trace port."""
        return []

    def failure(self) -> str | None:
        """QEMU's own words, if it stopped: it does on a lockup of the core."""
        if self._process is None or self._process.exit_code() is None:
            return None
        reason = _reason(self._process.output())
        return f"QEMU's {self._machine} stopped: {reason}; look at the firmware's last step"

    def close(self) -> None:
        """Stop QEMU."""
        self._stop()
        self._folder.cleanup()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None


def _reason(output: str) -> str:
    """QEMU's complaint; after it come hints or a dump of all registers."""
    complaints = (line for line in output.splitlines() if line.startswith("qemu"))
    return next(complaints, last_line(output))
