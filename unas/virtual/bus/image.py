# SPDX-License-Identifier: Apache-2.0
"""A firmware image: what goes where in memory, and which function an address is in."""

from __future__ import annotations

import bisect
import io
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from unas.errors import EmulatorError

_HEX_DATA, _HEX_END = 0, 1
_HEX_BASES = {2: 4, 4: 16}  # record type: how far its address is shifted


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes that a programmer writes to ``address``."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Image:
    """A firmware image.

    Attributes:
        segments: What is loaded.
        functions: (address, bytes, name) of its functions, sorted by address.
    """

    segments: tuple[Segment, ...]
    functions: tuple[tuple[int, int, str], ...]

    def place(self, address: int) -> str:
        """``"0x08000124 (board_init+0x10)"``, or without the function where it is not known."""
        index = bisect.bisect_right(self.functions, address, key=lambda f: f[0]) - 1
        if index >= 0:
            start, size, name = self.functions[index]
            if address < start + size:
                return f"0x{address:08X} ({name}+0x{address - start:X})"
        return f"0x{address:08X}"


def _functions(elf: ELFFile) -> tuple[tuple[int, int, str], ...]:
    table = elf.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        return ()
    result = {
        (symbol["st_value"] & ~1, symbol["st_size"], symbol.name)
        for symbol in table.iter_symbols()
        if symbol["st_info"]["type"] == "STT_FUNC"
    }
    return tuple(sorted(result))


def load_image(path: Path, flash_start: int | None = None) -> Image:
    """Read a firmware image: ELF, Intel hex (``.hex``, ``.ihex``) or plain bytes (``.bin``).

    Args:
        path: The file; its content tells the format.
        flash_start: Where plain bytes go; None: they are refused.

    Raises:
        EmulatorError: It cannot be read, is none of these, or loads nothing.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EmulatorError(f"cannot read {path}: {error.strerror}; check the path") from error
    if content.startswith(b"\x7fELF"):
        return _load_elf(path, content)
    if content.startswith(b":"):
        return Image(_hex_segments(path, content), ())
    if path.suffix == ".bin" and content and flash_start is not None:
        return Image((Segment(flash_start, content),), ())
    raise EmulatorError(
        f"{path} is no ELF file, no Intel hex and no .bin; give the firmware.elf of a build"
    )


def _load_elf(path: Path, content: bytes) -> Image:
    try:
        elf = ELFFile(io.BytesIO(content))
        machine = elf["e_machine"]
        segments = tuple(
            Segment(segment["p_paddr"], segment.data())
            for segment in elf.iter_segments("PT_LOAD")
            if segment["p_filesz"]
        )
        functions = _functions(elf)
    except (ELFError, UnicodeDecodeError) as error:
        raise EmulatorError(
            f"{path} is no ELF file: {error}; give the firmware.elf of a build"
        ) from error
    if machine != "EM_ARM" or not segments:
        raise EmulatorError(f"{path} is no firmware for Arm ({machine}); build it for the board")
    return Image(segments, functions)


def _hex_segments(path: Path, content: bytes) -> tuple[Segment, ...]:
    """Records of Intel hex; neighbours are joined."""
    pieces: list[tuple[int, bytearray]] = []
    base = 0
    for number, line in enumerate(content.split(), 1):
        try:
            record = bytes.fromhex(line[1:].decode())
        except ValueError:
            record = b""
        if not line.startswith(b":") or len(record) < 5 or len(record) != record[0] + 5:
            raise EmulatorError(f"{path}:{number} is no record of Intel hex; make the file anew")
        if sum(record) & 0xFF:
            raise EmulatorError(f"{path}:{number}: wrong checksum; make the file anew")
        kind, data = record[3], record[4:-1]
        address = base + int.from_bytes(record[1:3], "big")
        if kind == _HEX_DATA:
            if pieces and pieces[-1][0] + len(pieces[-1][1]) == address:
                pieces[-1][1].extend(data)
            else:
                pieces.append((address, bytearray(data)))
        elif kind in _HEX_BASES:
            base = int.from_bytes(data, "big") << _HEX_BASES[kind]
        elif kind == _HEX_END:
            break
    if not pieces:
        raise EmulatorError(f"{path} holds no data; make the file anew")
    return tuple(Segment(address, bytes(data)) for address, data in pieces)
