# SPDX-License-Identifier: Apache-2.0
"""Flashers: each puts an image on one unit, be it a board on the desk or a virtual one."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from unas._process import Background, find_program, last_line, run
from unas.artifact import FirmwareImage
from unas.board import Board
from unas.errors import ConfigError, EmulatorError, StoreError, ToolError
from unas.hil.units import Unit
from unas.names import Timing
from unas.record import Provenance

_START_TIMEOUT_S = 60.0  # the native hook is compiled at first use
_UPLOAD_TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class StageMark:
    """The firmware entered a stage: exact counts of a virtual board, seen on its trace port."""

    stage: int
    instructions: int
    cycles: int


class Flasher(Protocol):
    """Puts images on one unit. ``unas.testing`` holds the contract."""

    provenance: Provenance
    timing: str

    def flash(self, image: FirmwareImage) -> str:
        """Write an image and start it.

        Returns:
            The serial port it talks on.

        Raises:
            ToolError: Flashing failed.
        """
        ...

    def stages(self) -> list[StageMark]:
        """Stages the firmware has entered since ``flash``; none where there is no trace port."""
        ...

    def failure(self) -> str | None:
        """Why the unit stopped for good; None if it runs, or gives no reason."""
        ...

    def close(self) -> None:
        """Give the unit back, and end what runs for it. May be called twice."""
        ...


class PlatformioFlasher:
    """A board on the desk, through ``pio run -t upload`` and its debug probe."""

    provenance = Provenance.MEASURED
    timing: str = Timing.SILICON

    def __init__(self, unit: Unit, environment: dict[str, str]) -> None:
        self._unit = unit
        self._environment = environment

    def flash(self, image: FirmwareImage) -> str:
        """Upload with OpenOCD; what was built is not built again."""
        # The project may have built another image since: what is flashed is this one.
        built = image.project / ".pio" / "build" / image.board_id / "firmware.elf"
        shutil.copyfile(image.elf, built)
        command = [sys.executable, "-m", "platformio", "run", "-d", str(image.project)]
        command += ["-t", "nobuild", "-t", "upload"]
        try:
            run(command, timeout_s=_UPLOAD_TIMEOUT_S, env=self._environment)
        except ToolError as error:
            raise ToolError(
                f"flashing {self._unit.name} failed: {last_line(error.output or str(error))}; "
                "check the USB cable and that openocd may use the probe (udev rules)",
                error.output,
            ) from error
        return self._unit.port

    def stages(self) -> list[StageMark]:
        """None: there is no trace probe."""
        return []

    def failure(self) -> str | None:
        """None: a board on the desk reports no reason."""
        return None

    def close(self) -> None:
        """Nothing is held."""


class VirtualFlasher:
    """A virtual board: an emulator process that runs the same ELF behind a pty."""

    provenance = Provenance.EMULATED

    def __init__(self, board: Board, instance: int = 0, timing: Timing | None = None) -> None:
        """Prepare a virtual board.

        Args:
            board: Kind of board; the value is what runs, whatever its file has become since.
            instance: Tells several virtual boards apart; part of the chip's unique id.
            timing: What cycles are; None: the best there is.
        """
        self.timing, self._wanted_timing = "", timing
        self._board, self._instance = board, instance
        self._process: Background | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="unas-virtual-")
        folder = Path(self._folder.name)
        self._events, self._log = folder / "events.jsonl", folder / "log"
        text = board.to_toml().encode()
        self._board_sha256 = hashlib.sha256(text).hexdigest()
        self._board_file = folder / f"{board.id}.toml"
        self._board_file.write_bytes(text)

    def flash(self, image: FirmwareImage) -> str:
        """Start an emulator with the image; one that runs already is stopped."""
        self._stop()
        self._events.write_bytes(b"")
        command = [sys.executable, "-m", "unas.virtual", str(image.elf)]
        command += ["--board", str(self._board_file), "--events", str(self._events)]
        command += ["--instance", str(self._instance)]
        if self._wanted_timing is not None:
            command += ["--timing", self._wanted_timing]
        self._process = Background(command, log=self._log)
        ready = self._wait_until_ready(self._process, image)
        if ready.get("board_sha256") != self._board_sha256:
            self._stop()
            raise EmulatorError(
                f"the virtual {self._board.id} runs as another board than it was given (digest "
                f"{ready.get('board_sha256')}, not {self._board_sha256}); report it"
            )
        self.timing = str(ready["timing"])
        return str(ready["port"])

    def _wait_until_ready(self, process: Background, image: FirmwareImage) -> dict[str, object]:
        end = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < end:
            for line in process.output().split("\n")[:-1]:  # whole lines only
                if line.startswith("{"):
                    ready: dict[str, object] = json.loads(line)
                    return ready
            if process.exit_code() is not None:
                break
            time.sleep(0.02)
        raise EmulatorError(
            f"the virtual {self._board.id} did not start: {last_line(process.output())}; "
            f"try: python -m unas.virtual {image.elf} --board {self._board.id}"
        )

    def stages(self) -> list[StageMark]:
        """Every stage since ``flash``, with exact counts."""
        marks = []
        for event in self._read_events():
            if "stage" in event:
                marks.append(StageMark(event["stage"], event["instructions"], event["cycles"]))
        return marks

    def failure(self) -> str | None:
        """The emulator's message, if it stopped."""
        errors = [str(event["error"]) for event in self._read_events() if "error" in event]
        return errors[-1] if errors else None

    def close(self) -> None:
        """Stop the emulator."""
        self._stop()
        self._folder.cleanup()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _read_events(self) -> list[dict[str, int]]:
        try:
            # The last line may be half-written: what the host asks for was flushed before.
            lines = self._events.read_text().split("\n")[:-1]
            return [json.loads(line) for line in lines]
        except (OSError, ValueError) as error:
            raise StoreError(
                f"cannot read the virtual board's trace: {error}; run it again"
            ) from error


_PROGRAM = "qemu-system-arm"
_INSTALL = "install the package qemu-system-arm, or use --emulator unicorn"
_QEMU_START_TIMEOUT_S = 30.0
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
    """QEMU runs the ELF, and its UART is a pty: a second emulator to hold the first against.

    Unicorn's core comes from QEMU; its counting, its peripherals and our machine around it do not.
    """

    provenance = Provenance.EMULATED
    timing: str = Timing.INSTRUCTIONS

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
        end = time.monotonic() + _QEMU_START_TIMEOUT_S
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
        """QEMU's message, if it stopped: it does on a lockup of the core."""
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
