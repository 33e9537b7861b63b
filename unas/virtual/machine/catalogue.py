# SPDX-License-Identifier: Apache-2.0
"""The virtual machines that a board file can name in ``[virtual] machine``."""

from __future__ import annotations

from unas.board import Board
from unas.errors import EmulatorError
from unas.virtual.core.chip import ChipFactory
from unas.virtual.machine.mps2 import build_mps2
from unas.virtual.stm32.f7 import build_stm32f7
from unas.virtual.stm32.l4 import build_stm32l4

MACHINES: dict[str, ChipFactory] = {
    "mps2": build_mps2,
    "stm32f7": build_stm32f7,
    "stm32l4": build_stm32l4,
}


def chip_factory(board: Board) -> ChipFactory:
    """What makes the chip of a board.

    Raises:
        EmulatorError: The board file names no machine, or an unknown one.
    """
    if board.virtual_machine is None:
        raise EmulatorError(f"board {board.id} has no virtual machine; plug in a unit of it")
    factory = MACHINES.get(board.virtual_machine)
    if factory is None:
        known = ", ".join(sorted(MACHINES))
        raise EmulatorError(
            f"board {board.id}: no virtual machine {board.virtual_machine!r}; known: {known}"
        )
    return factory
