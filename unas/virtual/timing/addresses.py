# SPDX-License-Identifier: Apache-2.0
"""Which addresses of a block follow from registers when it is entered."""

from __future__ import annotations

from dataclasses import dataclass

from unas.virtual.timing.operations import Access, FunctionalUnit, Operation

MOST_REGISTERS = 8
_PC = 15


@dataclass(frozen=True, slots=True)
class BlockAddress:
    """An address: a constant and what two of ``EntryPlan.registers`` held on entry."""

    base: int | None
    index: int | None
    offset: int


@dataclass(frozen=True, slots=True)
class EntryPlan:
    """How to know all addresses of a block without looking at it while it runs.

    Attributes:
        registers: Core registers to read on entry.
        places: For each instruction; of no meaning where it has no access.
    """

    registers: tuple[int, ...]
    places: tuple[BlockAddress, ...]


class _Registers:
    """What is known of registers: the value that one had on entry, and a constant; or nothing."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self._known: dict[int, tuple[int, int] | None] = {}

    def get(self, register: int) -> tuple[int, int] | None:
        return self._known.get(register, (register, 0))

    def place(self, register: int) -> int:
        if register not in self.read:
            self.read.append(register)
        return self.read.index(register)

    def run(self, operation: Operation) -> None:
        access, copy = operation.access, operation.copy
        base = None if access is None or access.base is None else self.get(access.base)
        copied = None if copy is None or copy[0] == _PC else self.get(copy[0])
        for register in operation.results:
            self._known[register] = None
        if copied is not None and copy is not None and len(operation.results) == 1:
            self._known[operation.results[0]] = copied[0], copied[1] + copy[1]
        if access is not None and access.base is not None and access.base_written:
            moved = None if base is None else (base[0], base[1] + access.step)
            self._known[access.base] = moved


def _place(access: Access, address: int, registers: _Registers) -> BlockAddress | None:
    if access.base is None and access.index is None:
        return BlockAddress(None, None, (address & ~3) + access.offset)
    if access.shift or access.base is None:
        return None
    base = registers.get(access.base)
    index = (None, 0) if access.index is None else registers.get(access.index)
    if base is None or index is None:
        return None
    places = registers.place(base[0]), None if index[0] is None else registers.place(index[0])
    return BlockAddress(*places, base[1] + index[1] + access.offset)


def entry_plan(operations: tuple[Operation, ...], address: int) -> EntryPlan | None:
    """The plan for the block at ``address``, or None: it is not so simple."""
    registers = _Registers()
    places = []
    for operation in operations:
        if operation.skippable or operation.unit is FunctionalUnit.DIVIDE:
            return None
        place: BlockAddress | None = BlockAddress(None, None, 0)
        if operation.access is not None:
            place = _place(operation.access, address, registers)
        if place is None or len(registers.read) > MOST_REGISTERS:
            return None
        places.append(place)
        registers.run(operation)
        address += operation.bytes
    return EntryPlan(tuple(registers.read), tuple(places))
