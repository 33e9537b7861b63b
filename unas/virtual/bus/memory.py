# SPDX-License-Identifier: Apache-2.0
"""The board's memory regions inside Unicorn: exactly those of the board file, no byte more."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from unicorn import UC_PROT_ALL, UC_PROT_EXEC, UC_PROT_READ

from unas.board import Board, MemoryRegion
from unas.errors import EmulatorError
from unas.virtual.bus.image import Image

_LAST_ADDRESS = 0xFFFFFFFF
_PAGE_BYTES = 4096  # Unicorn maps whole pages
_ERASED_FLASH = 0xFF
# RAM wakes up with noise. The same noise each time, and none that looks like a cleared variable.
_POWER_ON_RAM = bytes((0xA5, 0x5A, 0xC3, 0x96))
_PROTECTION = {
    "flash": UC_PROT_READ | UC_PROT_EXEC,
    "rom": UC_PROT_READ | UC_PROT_EXEC,
    "ram": UC_PROT_ALL,
}


@dataclass(frozen=True, slots=True)
class FixedBytes:
    """Bytes at an address of read-only memory."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class _Mapped:
    region: MemoryRegion
    content: Any  # ctypes array; an alias shares that of the region it shows


class Memory:
    """Memory of one board; aliases show one content at several addresses."""

    def __init__(self, engine: Any, board: Board) -> None:
        """Map the regions of the board.

        Raises:
            EmulatorError: A region is not made of whole pages, or an alias is too large.
        """
        self._mapped: list[_Mapped] = []
        contents: dict[str, Any] = {}
        for region in sorted(board.memory, key=lambda r: r.alias_of is not None):
            if region.start % _PAGE_BYTES or region.size_bytes % _PAGE_BYTES:
                raise EmulatorError(
                    f"board {board.id}: region {region.name} is not made of whole "
                    f"{_PAGE_BYTES}-byte pages; correct the board file"
                )
            content = contents.get(region.alias_of or region.name) or _content(region)
            contents[region.name] = content
            if region.size_bytes > len(content):
                raise EmulatorError(
                    f"board {board.id}: region {region.name} is larger than {region.alias_of}, "
                    "which it shows; correct the board file"
                )
            engine.mem_map_ptr(region.start, region.size_bytes, _PROTECTION[region.kind], content)
            self._mapped.append(_Mapped(region, content))

    def write(self, address: int, data: bytes) -> None:
        """Put bytes there, whatever the protection, as a programmer or the factory does.

        Raises:
            EmulatorError: They do not lie within one region.
        """
        mapped = self._find(address, len(data))
        if mapped is None:
            raise EmulatorError(
                f"{len(data)} bytes for 0x{address:08X} are outside the board's memory; "
                "build the firmware for this board"
            )
        offset = address - mapped.region.start
        mapped.content[offset : offset + len(data)] = data

    def read_word(self, address: int) -> int | None:
        """The 32-bit word there, or None where there is no memory."""
        mapped = self._find(address, 4)
        if mapped is None:
            return None
        offset = address - mapped.region.start
        return int.from_bytes(bytes(mapped.content[offset : offset + 4]), "little")

    def is_ram(self, address: int, size: int) -> bool:
        """Whether ``size`` bytes from there can be written."""
        return self.kind(address) == "ram" and self.kind(address + size - 1) == "ram"

    def kind(self, address: int) -> str | None:
        """Kind of the region at an address: ``"flash"``, ``"ram"``, ``"rom"`` or None."""
        mapped = self._find(address, 1)
        return None if mapped is None else mapped.region.kind

    def outside_ram(self) -> list[tuple[int, int]]:
        """Ranges of the address space without RAM, as (first, last) address."""
        ranges = []
        start = 0
        for region in sorted((m.region for m in self._mapped), key=lambda r: r.start):
            if region.kind == "ram":
                if region.start > start:
                    ranges.append((start, region.start - 1))
                start = region.end
        ranges.append((start, _LAST_ADDRESS))
        return ranges

    def load(self, image: Image, fixed: Iterable[FixedBytes]) -> None:
        """Program an image, and the factory's bytes.

        Raises:
            EmulatorError: It does not fit the board.
        """
        for segment in image.segments:
            self.write(segment.address, segment.data)
        for piece in fixed:
            self.write(piece.address, piece.data)

    def _find(self, address: int, size: int) -> _Mapped | None:
        for mapped in self._mapped:
            if mapped.region.start <= address and address + size <= mapped.region.end:
                return mapped
        return None


def _content(region: MemoryRegion) -> Any:
    if region.kind == "ram":
        data = _POWER_ON_RAM * (region.size_bytes // len(_POWER_ON_RAM))
    else:
        data = bytes((_ERASED_FLASH,)) * region.size_bytes
    return (ctypes.c_uint8 * region.size_bytes).from_buffer(bytearray(data))
