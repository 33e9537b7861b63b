# SPDX-License-Identifier: Apache-2.0
"""A KIND of board as data: one TOML file each, strict; its stem is the id on the command line."""

from __future__ import annotations

import difflib
import functools
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unas._codec import plain_table, read_table
from unas._paths import boards_dir
from unas._text import parse_toml, toml_text
from unas.board_file import (
    IDENTIFIER,
    SCHEMA,
    Accelerator,
    BoardFile,
    BuildTable,
    Cpu,
    MemoryRegion,
    RegionTable,
    SerialTable,
    VirtualTable,
    shared_values,
)
from unas.errors import ConfigError

__all__ = [
    "Accelerator",
    "Board",
    "Console",
    "Cpu",
    "MemoryRegion",
    "list_boards",
    "load_board",
    "read_board",
]


@dataclass(frozen=True, slots=True)
class Console:
    """The serial line to the host: which UART of the chip, and through which pins.

    Attributes:
        uart: Its name in lower case, as ``"usart3"``.
        tx: Pin that sends, as ``"PD8"``; None: whichever the firmware routes to it.
        rx: Pin that receives; likewise.
    """

    uart: str
    tx: str | None = None
    rx: str | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """A kind of board. See ``boards/f746.toml`` for the meaning of each field.

    Two boards are equal if all values are; ``source``, the text they were read from, may differ.
    """

    id: str
    name: str
    mcu: str
    core: str
    core_clock_hz: int
    hse_hz: int
    lse_hz: int
    port: str
    cpu_flags: tuple[str, ...]
    openocd_board: str | None
    baud: int
    console: Console | None
    usb_ids: tuple[str, ...]
    cpu: Cpu
    accelerator: Accelerator | None
    memory: tuple[MemoryRegion, ...]
    virtual_machine: str | None
    qemu_machine: str | None
    virtual_timing: str | None
    source: str = field(default="", repr=False, compare=False)

    @property
    def file_sha256(self) -> str:
        """Hex digest of ``source``; of ``to_toml()`` for a value that ``source`` does not say."""
        return _digest(self, self.source)

    def to_dict(self) -> dict[str, Any]:
        """The board as the tables of a board file."""
        return plain_table(_to_file(self))

    def to_toml(self) -> str:
        """The board as a board file; ``read_board`` makes an equal value of it."""
        return toml_text(plain_table(_to_file(self)))

    @property
    def flash_bytes(self) -> int:
        """Flash that a program may fill."""
        return sum(r.size_bytes for r in self.memory if r.use == "code")

    @property
    def ram_bytes(self) -> int:
        """RAM that data and the tensor arena share."""
        return sum(r.size_bytes for r in self.memory if r.use == "data")

    def region(self, name: str) -> MemoryRegion:
        """The region of that name.

        Raises:
            ConfigError: There is none.
        """
        for region in self.memory:
            if region.name == name:
                return region
        raise ConfigError(
            f"board {self.id} has no memory region {name!r}; add it to its board file"
        )


def _to_file(board: Board) -> BoardFile:
    console = board.console
    lines = () if console is None else (console.uart, console.tx, console.rx)
    return BoardFile(
        schema=SCHEMA,
        name=board.name,
        mcu=board.mcu,
        core=board.core,
        core_clock_hz=board.core_clock_hz,
        port=board.port,
        build=BuildTable(board.cpu_flags, board.openocd_board),
        serial=SerialTable(board.baud, board.usb_ids, *lines),
        cpu=board.cpu,
        memory=tuple(RegionTable(size=r.size_bytes, **shared_values(r)) for r in board.memory),
        hse_hz=board.hse_hz,
        lse_hz=board.lse_hz,
        accelerator=board.accelerator,
        virtual=VirtualTable(board.virtual_machine, board.qemu_machine, board.virtual_timing),
    )


def read_board(text: str, board_id: str, where: str) -> Board:
    """A board from the text of a board file.

    Args:
        text: TOML.
        board_id: Its id.
        where: The file, for messages.

    Raises:
        ConfigError: The text is no TOML, or has unknown, missing or wrong entries.
    """
    file = read_table(parse_toml(text, where), BoardFile, where)
    serial, virtual = file.serial, file.virtual
    return Board(
        id=board_id,
        name=file.name,
        mcu=file.mcu,
        core=file.core,
        core_clock_hz=file.core_clock_hz,
        hse_hz=file.hse_hz,
        lse_hz=file.lse_hz,
        port=file.port,
        cpu_flags=file.build.cpu_flags,
        openocd_board=file.build.openocd_board,
        baud=serial.baud,
        console=None if serial.uart is None else Console(serial.uart, serial.tx, serial.rx),
        usb_ids=serial.usb_ids,
        cpu=file.cpu,
        accelerator=file.accelerator,
        memory=tuple(table.region() for table in file.memory),
        virtual_machine=virtual.machine,
        qemu_machine=virtual.qemu,
        virtual_timing=virtual.timing,
        source=text,
    )


@functools.lru_cache(maxsize=64)  # asked for each image and each environment
def _digest(board: Board, source: str) -> str:
    """Hex digest of the text that says this value: of ``source``, or of the canonical one."""
    try:
        text = source if read_board(source, board.id, board.id) == board else board.to_toml()
    except ConfigError:
        text = board.to_toml()
    return hashlib.sha256(text.encode()).hexdigest()


def list_boards() -> tuple[str, ...]:
    """Ids of the boards that come with unas, sorted.

    Example:
        >>> import unas
        >>> unas.list_boards()
        ('an386', 'an500', 'f746', 'l4r5')
    """
    return tuple(sorted(path.stem for path in boards_dir().glob("*.toml")))


def load_board(id_or_path: str) -> Board:
    """Read a board file.

    Args:
        id_or_path: The id of a board that comes with unas, or the path of a TOML file.

    Raises:
        ConfigError: No such board, or the file has unknown, missing or wrong entries.

    Example:
        >>> import unas
        >>> board = unas.load_board("f746")
        >>> board.name, board.core_clock_hz, board.ram_bytes
        ('NUCLEO-F746ZG', 216000000, 327680)
    """
    path = Path(id_or_path) if id_or_path.endswith(".toml") else boards_dir() / f"{id_or_path}.toml"
    if not id_or_path.endswith(".toml") and id_or_path not in list_boards():
        near = difflib.get_close_matches(id_or_path, list_boards(), n=2, cutoff=0.4)
        hint = (
            f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(list_boards())}"
        )
        raise ConfigError(f"no board {id_or_path!r}; {hint} (or give the path of a .toml file)")
    if not IDENTIFIER.fullmatch(path.stem):
        raise ConfigError(f"{path}: the file's name is the board's id; use a-z, 0-9 and _ only")
    try:
        text = path.read_bytes().decode()  # not read_text: the digest is of the file as it is
    except OSError as error:
        raise ConfigError(
            f"cannot read board file {path}: {error.strerror}; check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no valid TOML: {error}; save it as UTF-8") from error
    return read_board(text, path.stem, str(path))
