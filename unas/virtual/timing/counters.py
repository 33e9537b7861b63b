# SPDX-License-Identifier: Apache-2.0
"""Counting what is executed: the seam, and the way without a compiler.

Three timing modes: ``"instructions"``: a cycle is an instruction, nothing more is claimed;
``"pipeline"``: the core's pipeline in front of a memory without wait states;
``"pipeline+memory"``: the core, its caches, buses and flash. The first is fast, the last the best.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from unicorn import UC_HOOK_BLOCK

from unas.virtual.core.instruction_hooks import instruction_sizes

INSTRUCTIONS, PIPELINE, PIPELINE_MEMORY = TIMINGS = ("instructions", "pipeline", "pipeline+memory")
NO_LIMIT = (1 << 64) - 1

Reader = Callable[[int, int], bytes | None]
"""Code of the block at (address, size), asked for once; None stops the machine before it."""
BlockObserver = Callable[[bytes], Callable[[], None] | None]
"""What to call each time before an instruction is executed, given its code; None: nothing."""


class BlockCounter(Protocol):
    """Sums of what was executed since power-on.

    Instructions of a block are added whole when it is entered. Cycles may be read at any time, by
    a peripheral in the middle of a block, too: in the modes with a pipeline they are those up to
    the instruction that asks, in mode ``"instructions"`` those of the whole block.

    Attributes:
        native: The callbacks are machine code.
        timing: Name of the mode; every number that stands on it says so.
        watches: It calls what its ``Watcher`` says.
        cycles: Core clock cycles. What is added passes as time. To go back is ``rewind``.
        limit: The machine stops before the first block that would start with this many
            instructions done; 0 stops it at the next block, and may be set from any thread.
        cycle_limit: The same for cycles: when the next thing happens around the core.
        error: What went wrong in a callback that could not say so, or None.
    """

    native: bool
    timing: str
    watches: bool
    cycles: int
    limit: int
    cycle_limit: int
    error: Exception | None

    @property
    def instructions(self) -> int:
        """Executed instructions; one skipped by an IT block counts, as in the core."""

    @property
    def visit(self) -> tuple[int, int]:
        """Address and bytes of the block that was entered last."""

    def settle(self, pc: int) -> None:
        """Nothing of the block from ``pc`` on was executed: take back what was counted for it."""

    def pause(self, pc: int) -> None:
        """Unicorn stands still, and goes on at ``pc`` if nothing comes between."""

    def snapshot(self) -> object:
        """The present moment, with all that timing depends on."""

    def rewind(self, moment: object) -> None:
        """Take back the time since then."""

    def close(self) -> None:
        """Let go of what the counter holds."""


class PythonCounter:
    """Mode ``"instructions"`` without native code: the same sums, some hundred times slower."""

    native = False
    timing = INSTRUCTIONS
    watches = False

    def __init__(self, engine: Any, read: Reader) -> None:
        self.instructions = 0
        self.cycles = 0
        self.limit = self.cycle_limit = NO_LIMIT
        self.error: Exception | None = None
        self._read = read
        self._sizes: dict[tuple[int, int], tuple[int, ...]] = {}
        self._visit: tuple[int, int] = (0, 0)
        engine.hook_add(UC_HOOK_BLOCK, self._enter)

    @property
    def visit(self) -> tuple[int, int]:
        """See ``BlockCounter.visit``."""
        return self._visit

    def settle(self, pc: int) -> None:
        """See ``BlockCounter.settle``."""
        undone = instructions_from(pc, self._visit, self._sizes.get(self._visit, ()))
        self.instructions -= undone
        self.cycles -= undone
        self._visit = (0, 0)

    def pause(self, pc: int) -> None:
        """See ``BlockCounter.pause``."""

    def snapshot(self) -> object:
        """See ``BlockCounter.snapshot``."""
        return self.instructions, self.cycles

    def rewind(self, moment: object) -> None:
        """See ``BlockCounter.rewind``."""
        assert isinstance(moment, tuple)
        self.instructions, self.cycles = moment

    def close(self) -> None:
        """See ``BlockCounter.close``."""

    def _enter(self, engine: Any, address: int, size: int, _: object) -> None:
        if self.instructions >= self.limit or self.cycles >= self.cycle_limit:
            engine.emu_stop()
            return
        sizes = self._sizes.get((address, size))
        if sizes is None:
            code = self._read(address, size)
            if code is None:
                engine.emu_stop()
                return
            sizes = self._sizes[address, size] = tuple(instruction_sizes(code))
        self.instructions += len(sizes)
        self.cycles += len(sizes)
        self._visit = (address, size)


def instructions_from(pc: int, block: tuple[int, int], sizes: tuple[int, ...]) -> int:
    """How many of a block's instructions stand at ``pc`` or behind it; 0 if it is not in there."""
    address, size = block
    if not address <= pc < address + size:
        return 0
    count = 0
    for length in sizes:
        count += address >= pc
        address += length
    return count
