# SPDX-License-Identifier: Apache-2.0
"""A KIND of board as data: one TOML file each, strict; its stem is the id on the command line."""

from __future__ import annotations

import difflib
import functools
import hashlib
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from unas._codec import plain_table, read_table, shown
from unas._paths import boards_dir
from unas._text import parse_toml, toml_text
from unas.errors import ConfigError
from unas.units import parse_bytes

_SCHEMA = 1
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,31}")
_QEMU_MACHINE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_FLAG = re.compile(r"-m[a-z0-9=+.\-]+")
_PIN = re.compile(r"P[A-K](?:[0-9]|1[0-5])")
_USB_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")


@dataclass(frozen=True, slots=True)
class MemoryRegion:
    """One region of the address map.

    Attributes:
        name: Unique on the board; also the linker's name for it.
        kind: ``"flash"``, ``"ram"`` or ``"rom"`` (readable, never written).
        start: First address.
        size_bytes: Length.
        use: ``"code"`` or ``"data"`` if the linker may put something there, else None.
        alias_of: Name of the region that this one shows at another address, or None.
        wait_states: Of the bus behind it; None where the board file does not say.
        line_bytes: Width of one flash read.
        bus: How the core reaches it: ``"direct"`` (no wait states: TCM, SRAM of a Cortex-M4),
            ``"accelerator"`` (flash behind ST's ART) or ``"axi"`` (behind the L1 caches).
        bus_bytes: Width of that bus.
        bus_cycles: Core cycles from a request over it to the first data, the flash's own aside.
    """

    name: str
    kind: str
    start: int
    size_bytes: int
    use: str | None = None
    alias_of: str | None = None
    wait_states: int | None = None
    line_bytes: int | None = None
    bus: str = "direct"
    bus_bytes: int = 4
    bus_cycles: int = 0

    @property
    def end(self) -> int:
        """First address behind the region."""
        return self.start + self.size_bytes


@dataclass(frozen=True, slots=True)
class Cpu:
    """Facts of the core that the firmware reports and the virtual board answers."""

    cpuid: int
    device_id: int
    icache_bytes: int = 0
    dcache_bytes: int = 0
    cache_line_bytes: int = 32


@dataclass(frozen=True, slots=True)
class Accelerator:
    """ST's flash accelerator: the lines that it keeps, least recently used out first.

    Attributes:
        code_lines: Lines for fetches; 0: none.
        data_lines: Lines for loads; 0: none, or they share those for fetches.
        line_bytes: Length of a line: one or more reads of the flash.
        unified: Loads use the lines for fetches.
    """

    code_lines: int
    data_lines: int
    line_bytes: int
    unified: bool = False


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


def _matching(pattern: re.Pattern[str], advice: str) -> Callable[[object], str]:
    """A parser of strings of one form."""

    def parse(data: object) -> str:
        if not isinstance(data, str) or not pattern.fullmatch(data):
            raise ConfigError(f"{shown(data)} {advice}")
        return data

    return parse


_Name = Annotated[str, _matching(_IDENTIFIER, "is no name; use a-z, 0-9 and _, letter first")]
_Pin = Annotated[str, _matching(_PIN, "is no pin; write it as PD8")]
_Flag = Annotated[str, _matching(_FLAG, f"must match {_FLAG.pattern}; correct it")]
_UsbId = Annotated[str, _matching(_USB_ID, f"must match {_USB_ID.pattern}; correct it")]
_QemuMachine = Annotated[str, _matching(_QEMU_MACHINE, "is no machine of QEMU; see -machine help")]


@dataclass(frozen=True, slots=True)
class _RegionTable:
    """[[memory]]. ``erase_cycles``, the endurance of flash, is for readers of the file."""

    name: _Name
    kind: str
    start: int
    size: Annotated[int, parse_bytes]
    use: str | None = None
    alias_of: _Name | None = None
    wait_states: int | None = None
    line_bytes: int | None = None
    erase_cycles: int | None = None
    bus: str = "direct"
    bus_bytes: int = 4
    bus_cycles: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("flash", "ram", "rom") or self.use not in (None, "code", "data"):
            raise ConfigError(
                "kind is flash, ram or rom and use is code or data, "
                f"not {self.kind!r} and {self.use!r}"
            )
        if self.bus not in ("direct", "accelerator", "axi") or self.bus_bytes not in (4, 8):
            raise ConfigError(
                "bus is direct, accelerator or axi and bus_bytes 4 or 8, "
                f"not {self.bus!r} and {self.bus_bytes}"
            )
        if self.start < 0 or self.size <= 0 or self.start + self.size > 1 << 32:
            raise ConfigError(f"{self.name} is not within 32 bits; correct start or size")

    def region(self) -> MemoryRegion:
        """What the table says."""
        return MemoryRegion(size_bytes=self.size, **_shared(self))


def _shared(region: MemoryRegion | _RegionTable) -> dict[str, Any]:
    """The values that a region and its table call alike."""
    names = (f.name for f in fields(MemoryRegion) if f.name != "size_bytes")
    return {name: getattr(region, name) for name in names}


@dataclass(frozen=True, slots=True)
class _BuildTable:
    cpu_flags: tuple[_Flag, ...]
    openocd_board: _Name | None = None


@dataclass(frozen=True, slots=True)
class _SerialTable:
    baud: int
    usb_ids: tuple[_UsbId, ...]
    uart: _Name | None = None
    tx: _Pin | None = None
    rx: _Pin | None = None

    def __post_init__(self) -> None:
        if self.uart is None and (self.tx or self.rx):
            raise ConfigError("tx and rx are pins of a 'uart'; name it")


@dataclass(frozen=True, slots=True)
class _VirtualTable:
    machine: _Name | None = None
    qemu: _QemuMachine | None = None
    timing: _Name | None = None


@dataclass(frozen=True, slots=True)
class _BoardFile:
    """A board file, table by table."""

    schema: int
    name: str
    mcu: str
    core: str
    core_clock_hz: int
    port: _Name
    build: _BuildTable
    serial: _SerialTable
    cpu: Cpu
    memory: tuple[_RegionTable, ...]
    hse_hz: int = 0
    lse_hz: int = 0
    accelerator: Accelerator | None = None
    virtual: _VirtualTable = field(default_factory=_VirtualTable)

    def __post_init__(self) -> None:
        if self.schema != _SCHEMA:
            raise ConfigError(f"schema must be {_SCHEMA}; this file is of another version of unas")
        _check_memory(self.memory)


def _check_memory(regions: tuple[_RegionTable, ...]) -> None:
    ordered = sorted(regions, key=lambda r: r.start)
    for low, high in itertools.pairwise(ordered):
        if low.start + low.size > high.start:
            raise ConfigError(f"regions {low.name} and {high.name} overlap; correct one")
    names = [r.name for r in regions]
    if len(set(names)) != len(names):
        raise ConfigError("two memory regions share a name; rename one")
    for use in ("code", "data"):
        if not any(r.use == use for r in regions):
            raise ConfigError(f'no memory region has use = "{use}"; mark one')
    for region in regions:
        if region.alias_of is not None and region.alias_of not in names:
            raise ConfigError(f"{region.name} is alias_of {region.alias_of!r}: no such region")


def _to_file(board: Board) -> _BoardFile:
    console = board.console
    lines = () if console is None else (console.uart, console.tx, console.rx)
    return _BoardFile(
        schema=_SCHEMA,
        name=board.name,
        mcu=board.mcu,
        core=board.core,
        core_clock_hz=board.core_clock_hz,
        port=board.port,
        build=_BuildTable(board.cpu_flags, board.openocd_board),
        serial=_SerialTable(board.baud, board.usb_ids, *lines),
        cpu=board.cpu,
        memory=tuple(_RegionTable(size=r.size_bytes, **_shared(r)) for r in board.memory),
        hse_hz=board.hse_hz,
        lse_hz=board.lse_hz,
        accelerator=board.accelerator,
        virtual=_VirtualTable(board.virtual_machine, board.qemu_machine, board.virtual_timing),
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
    file = read_table(parse_toml(text, where), _BoardFile, where)
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
    if not _IDENTIFIER.fullmatch(path.stem):
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
