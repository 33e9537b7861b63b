# SPDX-License-Identifier: Apache-2.0
"""A real port of firmware_templates, with a small main, on its virtual board in this process."""

from __future__ import annotations

import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pytest

from tests.virtual.probe_board import word, words
from unas._paths import templates_dir
from unas._process import run
from unas.board import Board
from unas.firmware.recipe import COMPILE_FLAGS, STACK_BYTES
from unas.firmware.render import code_and_data
from unas.virtual.bus.link import QueueLink
from unas.virtual.bus.rules import STRICT, Strictness
from unas.virtual.machine.events import Event
from unas.virtual.machine.machine import Machine, Stop

_COMPILER = "arm-none-eabi-gcc"
_MAIN = Path(__file__).with_name("firmware") / "port_main.c"
ENOUGH = 2_000_000


def compile_port(folder: Path, board: Board) -> Path:
    """Compile and link the board's port; skips the test where there is no compiler."""
    if shutil.which(_COMPILER) is None:
        pytest.skip(f"{_COMPILER} is not installed")
    elf = folder / f"{board.id}.elf"
    code, data = code_and_data(board)
    template = jinja2.Template((templates_dir() / "linker.ld.j2").read_text())
    script = folder / f"{board.id}.ld"
    script.write_text(template.render(board=board, code=code, data=data, stack_bytes=STACK_BYTES))
    rooms = [templates_dir() / "ports" / name for name in ("armv7m", board.port)]
    sources = [path for room in rooms for path in sorted(room.glob("*.c"))]
    command: list[str | Path] = [_COMPILER, *board.cpu_flags, *COMPILE_FLAGS]
    command += [f"-I{room}" for room in (templates_dir() / "include", *rooms)]
    command += ["-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs", "-T", script]
    run([*command, "-o", elf, *sources, _MAIN], timeout_s=60)
    return elf


@dataclass(frozen=True)
class Info:
    """board_info of board_api.h."""

    core_clock_hz: int
    cpuid: int
    device_id: int
    reset_cause: int
    uid: bytes
    clock_source: int
    icache: int
    dcache: int
    flash_wait_states: int
    flash_accelerator: int


class PortBoard:
    """The machine, and the commands of port_main.c."""

    def __init__(
        self, board: Board, elf: Path, *, instance: int = 0, strictness: Strictness = STRICT
    ) -> None:
        self.line = QueueLink()
        self.events: list[Event] = []
        self.machine = Machine(
            board,
            elf,
            link=self.line,
            instance=instance,
            strictness=strictness,
            on_event=self.events.append,
        )

    def ask(self, command: bytes) -> bytes:
        """Give a command; the answer is there when the firmware waits again."""
        self.line.from_board.clear()
        self.line.to_board += command
        assert self.machine.run(max_instructions=ENOUGH) is Stop.IDLE
        return bytes(self.line.from_board)

    def read(self, address: int) -> int:
        """What the firmware reads there."""
        return words(self.ask(b"R" + word(address)))[0]

    def write(self, address: int, value: int) -> None:
        """Let the firmware write there."""
        self.ask(b"W" + word(address) + word(value))

    def info(self) -> Info:
        """What the port says of the board."""
        return Info(*struct.unpack("<4I12s5B3x", self.ask(b"I")))

    def arena(self) -> tuple[int, int]:
        """Start and bytes of the free RAM."""
        start, size = words(self.ask(b"A"))
        return start, size
