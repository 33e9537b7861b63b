# SPDX-License-Identifier: Apache-2.0
"""The probe firmware on a virtual board in this process, and how to talk to it."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from unas._process import run
from unas.board import load_board
from unas.virtual.bus.link import QueueLink
from unas.virtual.machine.events import Event, FaultEvent, StageEvent
from unas.virtual.machine.machine import Machine, Stop

BOARD = load_board("f746")
SOURCES = Path(__file__).with_name("firmware")
_COMPILER = "arm-none-eabi-gcc"
_FLAGS = ("-std=c11", "-O2", "-ffreestanding", "-nostdlib", "-Wall", "-Wextra", "-Werror")


def compile_firmware(folder: Path, sources: tuple[str, ...], defines: tuple[str, ...] = ()) -> Path:
    """Compile test firmware for the F746; skips the test where there is no compiler."""
    if shutil.which(_COMPILER) is None:
        pytest.skip(f"{_COMPILER} is not installed")
    elf = folder / f"{'_'.join((Path(sources[0]).stem, *defines))}.elf"
    if not elf.exists():
        command: list[str | Path] = [
            _COMPILER,
            *BOARD.cpu_flags,
            *_FLAGS,
            *(f"-D{name}" for name in defines),
            *("-T", SOURCES / "f746.ld", "-o", elf),
            *(SOURCES / source for source in sources),
            "-lgcc",
        ]
        run(command, timeout_s=60)
    return elf


def word(value: int) -> bytes:
    """A 32-bit word as the probe firmware reads it."""
    return struct.pack("<I", value)


def words(data: bytes) -> tuple[int, ...]:
    """The 32-bit words of an answer."""
    return struct.unpack(f"<{len(data) // 4}I", data)


class ProbeBoard:
    """A machine with the probe firmware, its line and its events."""

    def __init__(
        self,
        elf: Path,
        *,
        native: bool | None = None,
        instance: int = 0,
        timing: str | None = None,
    ) -> None:
        self.line = QueueLink()
        self.events: list[Event] = []
        self.machine = Machine(
            BOARD,
            elf,
            link=self.line,
            native=native,
            timing=timing,
            instance=instance,
            on_event=self.events.append,
        )

    def boot(self) -> bytes:
        """Run until the firmware waits for a command."""
        return self.ask(b"")

    def ask(self, command: bytes) -> bytes:
        """Give a command; the answer is there when the firmware waits again."""
        self.line.from_board.clear()
        self.line.to_board += command
        assert self.machine.run(max_instructions=20_000_000) is Stop.IDLE
        return bytes(self.line.from_board)

    def register(self, address: int) -> int:
        """What the firmware reads there."""
        return words(self.ask(b"R" + word(address)))[0]

    def faults(self) -> list[FaultEvent]:
        """Faults so far."""
        return [event for event in self.events if isinstance(event, FaultEvent)]

    def stages(self) -> list[StageEvent]:
        """Stages so far."""
        return [event for event in self.events if isinstance(event, StageEvent)]
