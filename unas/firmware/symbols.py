# SPDX-License-Identifier: Apache-2.0
"""Which kernels are really linked: the ELF's symbols know, whatever a library calls itself."""

from __future__ import annotations

from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from unas.errors import BuildError

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
