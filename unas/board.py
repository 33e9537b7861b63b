# SPDX-License-Identifier: Apache-2.0
"""A KIND of board as data: one TOML file each, strict; its stem is the id on the command line."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from unas._paths import boards_dir
from unas.errors import ConfigError
from unas.units import parse_bytes

_SCHEMA = 1
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,31}")
_QEMU_MACHINE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_FLAG = re.compile(r"-m[a-z0-9=+.\-]+")
_PIN = re.compile(r"P[A-K](?:[0-9]|1[0-5])")


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
        erase_cycles: Endurance of flash.
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
    erase_cycles: int | None = None
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
    """A kind of board. See ``boards/f746.toml`` for the meaning of each field."""

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
    source: str = field(repr=False, compare=False)

    @property
    def file_sha256(self) -> str:
        """Hex digest of ``to_toml``: of the file that was read, another one for a changed value."""
        return hashlib.sha256(self.to_toml().encode()).hexdigest()

    def to_toml(self) -> str:
        """The board file: as it was read, or written anew where a value was changed since."""
        if self.source and read_board(self.source, self.id, self.id) == self:
            return self.source
        return _to_toml(self)

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


class _Table:
    """One TOML table whose keys must all be known; keeps the path for messages."""

    def __init__(self, data: Mapping[str, Any], where: str) -> None:
        self._data, self._where, self._known = data, where, set[str]()

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = ...) -> Any:
        self._known.add(key)
        if key not in self._data:
            if default is ...:
                near = difflib.get_close_matches(key, self._data, n=1)
                hint = f"is {near[0]!r} meant to be it?" if near else "add it"
                raise ConfigError(f"{self._where}: {key!r} is missing; {hint}")
            return default
        value = self._data[key]
        wrong_bool = isinstance(value, bool) and kind is not bool
        if not isinstance(value, kind) or wrong_bool:
            wanted = (
                kind.__name__ if isinstance(kind, type) else " or ".join(k.__name__ for k in kind)
            )
            raise ConfigError(f"{self._where}: {key!r} is {value!r}; it must be of type {wanted}")
        return value

    def has(self, key: str) -> bool:
        return key in self._data

    def size(self, key: str) -> int:
        try:
            return parse_bytes(self.take(key, (str, int)))
        except ConfigError as error:
            raise ConfigError(f"{self._where}: {key!r}: {error}") from error

    def strings(self, key: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
        values = self.take(key, list)
        for value in values:
            if not isinstance(value, str) or not pattern.fullmatch(value):
                raise ConfigError(
                    f"{self._where}: {value!r} in {key!r} must match {pattern.pattern}; correct it"
                )
        return tuple(values)

    def name(self, key: str, default: Any = ...) -> Any:
        value = self.take(key, str, default)
        if value is not default and not _IDENTIFIER.fullmatch(value):
            raise ConfigError(
                f"{self._where}: {key!r} is {value!r}; use a-z, 0-9 and _, letter first"
            )
        return value

    def table(self, key: str, default: Any = ...) -> _Table:
        return _Table(self.take(key, dict, default), f"{self._where} [{key}]")

    def tables(self, key: str) -> list[_Table]:
        rows = self.take(key, list)
        if not all(isinstance(row, dict) for row in rows):
            raise ConfigError(f"{self._where}: {key!r} must be tables: write [[{key}]]")
        return [_Table(row, f"{self._where} [[{key}]] #{i + 1}") for i, row in enumerate(rows)]

    def done(self) -> None:
        for key in self._data:
            if key not in self._known:
                near = difflib.get_close_matches(key, sorted(self._known), n=3)
                hint = (
                    f"did you mean {' or '.join(near)}?"
                    if near
                    else f"known: {sorted(self._known)}"
                )
                raise ConfigError(f"{self._where}: unknown key {key!r}; {hint}")


def _region(table: _Table) -> MemoryRegion:
    region = MemoryRegion(
        name=table.name("name"),
        kind=table.take("kind", str),
        start=table.take("start", int),
        size_bytes=table.size("size"),
        use=table.take("use", str, None),
        alias_of=table.name("alias_of", None),
        wait_states=table.take("wait_states", int, None),
        line_bytes=table.take("line_bytes", int, None),
        erase_cycles=table.take("erase_cycles", int, None),
        bus=table.take("bus", str, "direct"),
        bus_bytes=table.take("bus_bytes", int, 4),
        bus_cycles=table.take("bus_cycles", int, 0),
    )
    table.done()
    if region.kind not in ("flash", "ram", "rom") or region.use not in (None, "code", "data"):
        raise ConfigError(
            f"{table._where}: kind is flash, ram or rom and use is code or data, "
            f"not {region.kind!r} and {region.use!r}"
        )
    if region.bus not in ("direct", "accelerator", "axi") or region.bus_bytes not in (4, 8):
        raise ConfigError(
            f"{table._where}: bus is direct, accelerator or axi and bus_bytes 4 or 8, "
            f"not {region.bus!r} and {region.bus_bytes}"
        )
    if region.start < 0 or region.size_bytes <= 0 or region.end > 1 << 32:
        raise ConfigError(
            f"{table._where}: {region.name} is not within 32 bits; correct start or size"
        )
    return region


def _memory(tables: list[_Table], where: str) -> tuple[MemoryRegion, ...]:
    regions = tuple(_region(t) for t in tables)
    ordered = sorted(regions, key=lambda r: r.start)
    for low, high in itertools.pairwise(ordered):
        if low.end > high.start:
            raise ConfigError(f"{where}: regions {low.name} and {high.name} overlap; correct one")
    names = [r.name for r in regions]
    if len(set(names)) != len(names):
        raise ConfigError(f"{where}: two memory regions share a name; rename one")
    for use in ("code", "data"):
        if not any(r.use == use for r in regions):
            raise ConfigError(f'{where}: no memory region has use = "{use}"; mark one')
    for region in regions:
        if region.alias_of is not None and region.alias_of not in names:
            raise ConfigError(
                f"{where}: {region.name} is alias_of {region.alias_of!r}: no such region"
            )
    return regions


def _cpu(table: _Table) -> Cpu:
    defaults = {f.name: ... if f.default is MISSING else f.default for f in fields(Cpu)}
    return Cpu(**{name: table.take(name, int, default) for name, default in defaults.items()})


def _accelerator(root: _Table) -> Accelerator | None:
    if not root.has("accelerator"):
        return None
    table = root.table("accelerator")
    kinds = {"unified": bool}
    found = Accelerator(
        **{
            f.name: table.take(
                f.name, kinds.get(f.name, int), ... if f.default is MISSING else f.default
            )
            for f in fields(Accelerator)
        }
    )
    table.done()
    return found


def _console(serial: _Table) -> Console | None:
    uart = serial.name("uart", None)
    pins: list[str | None] = [serial.take(key, str, None) for key in ("tx", "rx")]
    for pin in pins:
        if pin is not None and not _PIN.fullmatch(pin):
            raise ConfigError(f"{serial._where}: {pin!r} is no pin; write it as PD8")
    if uart is None:
        if any(pins):
            raise ConfigError(f"{serial._where}: tx and rx are pins of a 'uart'; name it")
        return None
    return Console(uart, *pins)


def _qemu_machine(virtual: _Table) -> str | None:
    name: str | None = virtual.take("qemu", str, None)
    if name is not None and not _QEMU_MACHINE.fullmatch(name):
        raise ConfigError(f"{virtual._where}: {name!r} is no machine of QEMU; see -machine help")
    return name


def _board(root: _Table, board_id: str, where: str, source: str) -> Board:
    if root.take("schema", int) != _SCHEMA:
        raise ConfigError(
            f"{where}: schema must be {_SCHEMA}; this file is of another version of unas"
        )
    build, serial, cpu = root.table("build"), root.table("serial"), root.table("cpu")
    virtual = root.table("virtual", {})
    board = Board(
        id=board_id,
        name=root.take("name", str),
        mcu=root.take("mcu", str),
        core=root.take("core", str),
        core_clock_hz=root.take("core_clock_hz", int),
        hse_hz=root.take("hse_hz", int, 0),
        lse_hz=root.take("lse_hz", int, 0),
        port=root.name("port"),
        cpu_flags=build.strings("cpu_flags", _FLAG),
        openocd_board=build.name("openocd_board", None),
        baud=serial.take("baud", int),
        console=_console(serial),
        usb_ids=serial.strings("usb_ids", re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")),
        cpu=_cpu(cpu),
        accelerator=_accelerator(root),
        memory=_memory(root.tables("memory"), where),
        virtual_machine=virtual.name("machine", None),
        qemu_machine=_qemu_machine(virtual),
        virtual_timing=virtual.name("timing", None),
        source=source,
    )
    for table in (root, build, serial, cpu, virtual):
        table.done()
    return board


def list_boards() -> tuple[str, ...]:
    """Ids of the boards that come with unas, sorted."""
    return tuple(sorted(path.stem for path in boards_dir().glob("*.toml")))


def load_board(id_or_path: str) -> Board:
    """Read a board file.

    Args:
        id_or_path: The id of a board that comes with unas, or the path of a TOML file.

    Raises:
        ConfigError: No such board, or the file has unknown, missing or wrong entries.
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
        text = path.read_bytes().decode()
    except OSError as error:
        raise ConfigError(
            f"cannot read board file {path}: {error.strerror}; check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no valid TOML: {error}; correct it") from error
    return read_board(text, path.stem, str(path))


def read_board(text: str, board_id: str, where: str) -> Board:
    """Read the text of a board file.

    Args:
        text: TOML.
        board_id: Of the board.
        where: Names the text in messages.

    Raises:
        ConfigError: It has unknown, missing or wrong entries.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is no valid TOML: {error}; correct it") from error
    return _board(_Table(data, where), board_id, where, text)


def _to_toml(board: Board) -> str:
    console = board.console or Console("")
    tables: dict[str, dict[str, Any]] = {
        "build": {"cpu_flags": board.cpu_flags, "openocd_board": board.openocd_board},
        "serial": {
            "baud": board.baud,
            "uart": console.uart or None,
            "tx": console.tx,
            "rx": console.rx,
            "usb_ids": board.usb_ids,
        },
        "cpu": asdict(board.cpu),
        "accelerator": asdict(board.accelerator) if board.accelerator else {},
        "virtual": {
            "machine": board.virtual_machine,
            "qemu": board.qemu_machine,
            "timing": board.virtual_timing,
        },
    }
    lines = [f"schema = {_SCHEMA}"]
    for key in ("name", "mcu", "core", "core_clock_hz", "hse_hz", "lse_hz", "port"):
        lines.append(f"{key} = {json.dumps(getattr(board, key))}")
    for name, table in tables.items():
        values = {key: value for key, value in table.items() if value is not None}
        lines += ["", f"[{name}]"] if values else []
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    for region in board.memory:
        values = {key: value for key, value in asdict(region).items() if value is not None}
        values["size"] = values.pop("size_bytes")
        lines += ["", "[[memory]]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"
