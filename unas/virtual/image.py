# SPDX-License-Identifier: Apache-2.0
"""The firmware's ELF file: what goes where in memory, and which function an address is in."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from unas.errors import EmulatorError


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
    found = {
        (symbol["st_value"] & ~1, symbol["st_size"], symbol.name)
        for symbol in table.iter_symbols()
        if symbol["st_info"]["type"] == "STT_FUNC"
    }
    return tuple(sorted(found))


def load_image(path: Path) -> Image:
    """Read an ELF file.

    Raises:
        EmulatorError: It cannot be read, is no ELF file for Arm, or loads nothing.
    """
    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            machine = elf["e_machine"]
            segments = tuple(
                Segment(segment["p_paddr"], segment.data())
                for segment in elf.iter_segments("PT_LOAD")
                if segment["p_filesz"]
            )
            functions = _functions(elf)
    except OSError as error:
        raise EmulatorError(f"cannot read {path}: {error.strerror}; check the path") from error
    except (ELFError, UnicodeDecodeError) as error:
        raise EmulatorError(
            f"{path} is no ELF file: {error}; give the firmware.elf of a build"
        ) from error
    if machine != "EM_ARM" or not segments:
        raise EmulatorError(f"{path} is no firmware for Arm ({machine}); build it for the board")
    return Image(segments, functions)
