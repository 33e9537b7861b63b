# SPDX-License-Identifier: Apache-2.0
"""What fits: sizes and linked kernels of an ELF, and models packed into few images.

A sector of flash lives about 10,000 erase cycles, so many models share one image.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from unas.artifact import Flatbuffer
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


# What the int8 kernels of TFLM call in CMSIS-NN. The firmware looks at
# the same names through weak references: device and host answer the same question.
CMSIS_NN_SYMBOLS = (
    "arm_avgpool_s8",
    "arm_batch_matmul_s8",
    "arm_convolve_s8",
    "arm_convolve_wrapper_s8",
    "arm_depthwise_conv_wrapper_s8",
    "arm_elementwise_add_s8",
    "arm_elementwise_mul_s8",
    "arm_fully_connected_s8",
    "arm_fully_connected_wrapper_s8",
    "arm_max_pool_s8",
    "arm_maximum_s8",
    "arm_minimum_s8",
    "arm_pad_s8",
    "arm_softmax_s8",
    "arm_svdf_s8",
    "arm_transpose_conv_wrapper_s8",
    "arm_transpose_s8",
)


def linked_functions(elf: Path) -> frozenset[str]:
    """Names of the functions with code in an ELF; what the linker discarded has none.

    Raises:
        BuildError: The file is no ELF, or has no symbols.
    """
    try:
        with elf.open("rb") as stream:
            table = ELFFile(stream).get_section_by_name(".symtab")
            if not isinstance(table, SymbolTableSection):
                raise BuildError(f"{elf} has no symbols; build the firmware again")
            return frozenset(
                symbol.name
                for symbol in table.iter_symbols()
                if symbol["st_info"]["type"] == "STT_FUNC"
                and symbol["st_shndx"] != "SHN_UNDEF"
                and symbol["st_size"] > 0
            )
    except (ELFError, OSError) as error:
        raise BuildError(f"cannot read {elf}: {error}; build the firmware again") from error


def linked_kernels(elf: Path) -> str:
    """``"cmsis-nn"`` if any of CMSIS-NN's int8 functions is in the ELF, else ``"reference"``."""
    return "cmsis-nn" if linked_functions(elf) & set(CMSIS_NN_SYMBOLS) else "reference"


# Room for the program itself, with some to spare; the linker has the last word.
PROGRAM_BYTES = 64 * 1024
_ALIGNMENT = 16
# Hundreds of single kernels share one erase cycle; more would only make one link slow.
MODELS_PER_IMAGE = 512


def pack(
    models: Sequence[Flatbuffer], board: Board, *, most: int = MODELS_PER_IMAGE
) -> list[list[Flatbuffer]]:
    """First-fit decreasing. A model that is too large even alone gets an image of its own.

    Args:
        models: Models to place.
        board: Whose flash to fill.
        most: Most models in one image.

    Returns:
        The images; each model is in exactly one of them.
    """
    capacity = board.flash_bytes - PROGRAM_BYTES
    images: list[list[Flatbuffer]] = []
    free: list[int] = []
    for model in sorted(models, key=lambda m: (-m.flatbuffer_bytes, m.sha256)):
        size = -(-model.flatbuffer_bytes // _ALIGNMENT) * _ALIGNMENT
        for index, space in enumerate(free):
            if size <= space and len(images[index]) < most:
                images[index].append(model)
                free[index] -= size
                break
        else:
            images.append([model])
            free.append(capacity - size)
    return images
