# SPDX-License-Identifier: Apache-2.0
"""The cores whose timing is known, by the name that a board file gives them."""

from __future__ import annotations

from unas.board import Board
from unas.errors import EmulatorError
from unas.virtual.timing.core_model import CoreModel
from unas.virtual.timing.cortex_m4 import CortexM4
from unas.virtual.timing.cortex_m7 import CortexM7


def core_model(board: Board) -> CoreModel:
    """The model of the board's core.

    Raises:
        EmulatorError: There is none.
    """
    models: dict[str, CoreModel] = {"cortex-m4": CortexM4(), "cortex-m7": CortexM7()}
    model = models.get(board.core)
    if model is None:
        raise EmulatorError(
            f"board {board.id}: no timing is known of a {board.core}; "
            f"known: {', '.join(models)}; use timing = 'instructions'"
        )
    return model
