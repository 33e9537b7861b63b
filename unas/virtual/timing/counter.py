# SPDX-License-Identifier: Apache-2.0
"""Which counter a machine gets."""

from __future__ import annotations

import logging
from typing import Any

from unas.board import Board
from unas.errors import EmulatorError, ToolError
from unas.virtual.bus.memory_system import MemorySystem
from unas.virtual.timing.counters import (
    INSTRUCTIONS,
    PIPELINE_MEMORY,
    TIMINGS,
    BlockCounter,
    BlockObserver,
    PythonCounter,
    Reader,
)
from unas.virtual.timing.instructions import InstructionCounter
from unas.virtual.timing.pipeline import PipelineCounter

_LOG = logging.getLogger(__name__)


def open_counter(
    engine: Any,
    read: Reader,
    board: Board,
    *,
    timing: str | None = None,
    native: bool | None = None,
    observer: BlockObserver | None = None,
) -> BlockCounter:
    """The counter of a timing mode.

    Args:
        engine: A Unicorn engine.
        read: Gives a block's code, once each.
        board: The core and what is around it.
        timing: One of ``TIMINGS``. None: the best, which without a C compiler is the worst, with a
            warning.
        native: True: in machine code or an error. False: in Python, ``"instructions"`` only. None:
            native if possible.
        observer: Says which instructions to call back for; see ``BlockCounter.watches``.

    Raises:
        EmulatorError: No such mode, or no timing is known of the board's core.
        ToolError: There is no compiler, or it failed, and ``native`` or ``timing`` demands one.
    """
    if timing is not None and timing not in TIMINGS:
        raise EmulatorError(f"no timing mode {timing!r}; known: {', '.join(TIMINGS)}")
    if native is False:
        if timing not in (None, INSTRUCTIONS):
            raise EmulatorError(
                f"timing {timing!r} needs native code; ask for {INSTRUCTIONS!r} or allow it"
            )
        return PythonCounter(engine, read)
    try:
        return _native(engine, read, board, timing or PIPELINE_MEMORY, observer)
    except ToolError as error:
        if native or timing not in (None, INSTRUCTIONS):
            raise
        reason = str(error).splitlines()[0]
        _LOG.warning(
            "the virtual board runs some 100 times slower and counts one cycle an instruction "
            "(timing = %r): %s",
            INSTRUCTIONS,
            reason,
        )
        return PythonCounter(engine, read)


def _native(
    engine: Any, read: Reader, board: Board, timing: str, observer: BlockObserver | None
) -> BlockCounter:
    if timing == INSTRUCTIONS:
        return InstructionCounter(engine, read)
    return PipelineCounter(engine, read, board, memory=timing == PIPELINE_MEMORY, observer=observer)


def memory_of(counter: BlockCounter) -> MemorySystem | None:
    """The memory system behind a counter, if its mode has one."""
    return counter.memory if isinstance(counter, PipelineCounter) else None
