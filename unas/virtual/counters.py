# SPDX-License-Identifier: Apache-2.0
"""Counting what is executed, block by block: the seam, and the way without a compiler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from unicorn import UC_HOOK_BLOCK

from unas.virtual.cycles import BlockCost

NO_LIMIT = (1 << 64) - 1

Pricer = Callable[[int, int], BlockCost | None]
"""Price of the block at (address, size); None stops the machine before it."""


@dataclass(frozen=True, slots=True)
class Visit:
    """The block that was entered last, and what was added for it on entry."""

    address: int
    size: int
    cost: BlockCost


class BlockCounter(Protocol):
    """Sums of what was executed since power-on. Each block is added whole when it is entered.

    Attributes:
        native: The block callback is machine code.
        instructions: Executed instructions.
        cycles: Core clock cycles.
        limit: The machine stops before the first block that would start with this many
            instructions done; 0 stops it at the next block, and may be set from any thread.
    """

    native: bool
    instructions: int
    cycles: int
    limit: int

    @property
    def visit(self) -> Visit:
        """The block that was entered last."""

    def close(self) -> None:
        """Let go of what the counter holds."""


class PythonCounter:
    """The same sums as the native counter, some hundred times slower."""

    native = False

    def __init__(self, engine: Any, price: Pricer) -> None:
        self.instructions = 0
        self.cycles = 0
        self.limit = NO_LIMIT
        self._price = price
        self._costs: dict[tuple[int, int], BlockCost] = {}
        self._visit = Visit(0, 0, BlockCost(0, 0))
        engine.hook_add(UC_HOOK_BLOCK, self._enter)

    @property
    def visit(self) -> Visit:
        """See ``BlockCounter.visit``."""
        return self._visit

    def close(self) -> None:
        """See ``BlockCounter.close``."""

    def _enter(self, engine: Any, address: int, size: int, _: object) -> None:
        if self.instructions >= self.limit:
            engine.emu_stop()
            return
        cost = self._costs.get((address, size)) or self._price(address, size)
        if cost is None:
            engine.emu_stop()
            return
        self._costs[address, size] = cost
        self.instructions += cost.instructions
        self.cycles += cost.cycles
        self._visit = Visit(address, size, cost)
