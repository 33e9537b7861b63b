# SPDX-License-Identifier: Apache-2.0
"""Sizes of a firmware from its ELF, by memory region of the board file."""

from __future__ import annotations

from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from unas.board import Board
from unas.errors import BuildError


def region_sizes(elf: Path, board: Board) -> dict[str, int]:
    """Bytes that the program occupies in each region, at run time and in its load image.

    Initialised data counts twice: where it runs, and in the flash it is copied from.

    Raises:
        BuildError: The file is no ELF.
    """
    used = dict.fromkeys((r.name for r in board.memory if r.use), 0)
    try:
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            for section in file.iter_sections():
                if section["sh_flags"] & SH_FLAGS.SHF_ALLOC and section["sh_size"]:
                    _add(used, board, section["sh_addr"], section["sh_size"])
            for segment in file.iter_segments("PT_LOAD"):
                if segment["p_filesz"] and segment["p_paddr"] != segment["p_vaddr"]:
                    _add(used, board, segment["p_paddr"], segment["p_filesz"])
    except (ELFError, OSError) as error:
        raise BuildError(
            f"cannot read sizes from {elf}: {error}; build the firmware again"
        ) from error
    return used


def _add(used: dict[str, int], board: Board, start: int, size: int) -> None:
    for region in board.memory:
        overlap = min(start + size, region.end) - max(start, region.start)
        if region.name in used and overlap > 0:
            used[region.name] += overlap
