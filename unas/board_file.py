# SPDX-License-Identifier: Apache-2.0
"""The tables of a board file, as they stand in TOML, and the values that a board has of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Annotated, Any

from unas._codec import shown
from unas.errors import ConfigError
from unas.units import parse_bytes

SCHEMA = 1
IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,31}")
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


def _matching(pattern: re.Pattern[str], advice: str) -> Callable[[object], str]:
    """A parser of strings of one form."""

    def parse(data: object) -> str:
        if not isinstance(data, str) or not pattern.fullmatch(data):
            raise ConfigError(f"{shown(data)} {advice}")
        return data

    return parse


_Name = Annotated[str, _matching(IDENTIFIER, "is no name; use a-z, 0-9 and _, letter first")]
_Pin = Annotated[str, _matching(_PIN, "is no pin; write it as PD8")]
_Flag = Annotated[str, _matching(_FLAG, f"must match {_FLAG.pattern}; correct it")]
_UsbId = Annotated[str, _matching(_USB_ID, f"must match {_USB_ID.pattern}; correct it")]
_QemuMachine = Annotated[str, _matching(_QEMU_MACHINE, "is no machine of QEMU; see -machine help")]


@dataclass(frozen=True, slots=True)
class RegionTable:
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
        return MemoryRegion(size_bytes=self.size, **shared_values(self))


def shared_values(region: MemoryRegion | RegionTable) -> dict[str, Any]:
    """The values that a region and its table call alike."""
    names = (f.name for f in fields(MemoryRegion) if f.name != "size_bytes")
    return {name: getattr(region, name) for name in names}


@dataclass(frozen=True, slots=True)
class BuildTable:
    """[build]: flags of the compiler, and OpenOCD's name of the board."""

    cpu_flags: tuple[_Flag, ...]
    openocd_board: _Name | None = None


@dataclass(frozen=True, slots=True)
class SerialTable:
    """[serial]: the line to the host."""

    baud: int
    usb_ids: tuple[_UsbId, ...]
    uart: _Name | None = None
    tx: _Pin | None = None
    rx: _Pin | None = None

    def __post_init__(self) -> None:
        if self.uart is None and (self.tx or self.rx):
            raise ConfigError("tx and rx are pins of a 'uart'; name it")


@dataclass(frozen=True, slots=True)
class VirtualTable:
    """[virtual]: what plays the board where none is plugged in."""

    machine: _Name | None = None
    qemu: _QemuMachine | None = None
    timing: _Name | None = None


@dataclass(frozen=True, slots=True)
class BoardFile:
    """A board file, table by table."""

    schema: int
    name: str
    mcu: str
    core: str
    core_clock_hz: int
    port: _Name
    build: BuildTable
    serial: SerialTable
    cpu: Cpu
    memory: tuple[RegionTable, ...]
    hse_hz: int = 0
    lse_hz: int = 0
    accelerator: Accelerator | None = None
    virtual: VirtualTable = field(default_factory=VirtualTable)

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ConfigError(f"schema must be {SCHEMA}; this file is of another version of unas")
        if min(self.core_clock_hz, self.serial.baud) < 1 or min(self.hse_hz, self.lse_hz) < 0:
            raise ConfigError("core_clock_hz and baud are above 0, hse_hz and lse_hz not below it")
        _check_memory(self.memory)


def _check_memory(regions: tuple[RegionTable, ...]) -> None:
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
