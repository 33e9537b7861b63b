# SPDX-License-Identifier: Apache-2.0
"""A core as the engine wants it: a table of facts, and a descriptor for each instruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from unas.board import Board
from unas.virtual.timing import layout
from unas.virtual.timing.operations import (
    ALWAYS,
    FLAGS,
    IF_ZERO,
    PC,
    Branch,
    FunctionalUnit,
    Operation,
    Role,
)

_MOST_SOURCES, _MOST_RESULTS = 4, 3


@dataclass(frozen=True, slots=True)
class OperationFacts:
    """What a core's tables say of one operation.

    Attributes:
        group: Its number in core.h (M4) or in the table of pairs (M7).
        cycles: It holds the issue for so long.
        traits: Bits of ``layout``.
        kind: Of its results; the M4 has none.
        base_kind: Of an indexed access's new base.
    """

    group: int
    cycles: int
    attributes: int = 0
    kind: int = 0
    base_kind: int = 0


class CoreModel(Protocol):
    """What is known of one core, as data."""

    def table(self, board: Board) -> layout.Table:
        """The facts for the native rules."""

    def place(self, operation: Operation, narrow: int) -> OperationFacts:
        """Where an operation stands in them; ``narrow`` 16-bit instructions share its block."""


def describe_block(
    model: CoreModel, operations: tuple[Operation, ...], address: int
) -> tuple[layout.Instruction, ...]:
    """Descriptors of the straight-line code at ``address``."""
    narrow = sum(operation.bytes == 2 for operation in operations)
    described = []
    for operation in operations:
        described.append(_describe(operation, model.place(operation, narrow), address))
        address += operation.bytes
    return tuple(described)


def _mask(registers: tuple[int, ...]) -> int:
    mask = 0
    for register in registers:
        mask |= 1 << register
    return mask


def _describe(operation: Operation, place: OperationFacts, address: int) -> layout.Instruction:
    target = layout.Instruction(address=address, bytes=operation.bytes, cycles=place.cycles)
    target.group, target.attributes = place.group, place.attributes
    if operation.skippable:
        target.attributes |= layout.CONDITIONAL
    if operation.sets_flags:
        target.attributes |= layout.SETS_FLAGS
    _describe_sources(target, operation)
    _describe_results(target, operation, place)
    _describe_access(target, operation, address)
    _describe_branch(target, operation)
    return target


def _describe_sources(target: layout.Instruction, operation: Operation) -> None:
    # Data of a multiple store are never late: a store may take any result of its own cycle.
    late = [s for s in operation.sources if s[1] is not Role.DATA or len(operation.sources) <= 3]
    target.sources[:] = [layout.NO_REGISTER * layout.ROLES] * _MOST_SOURCES
    for i, (register, role) in enumerate(late[:_MOST_SOURCES]):
        target.sources[i] = register * layout.ROLES + role
    registers = [(r, role) for r, role in operation.sources]
    target.address_mask = _mask(tuple(r for r, role in registers if role is Role.ADDRESS))
    target.operand_mask = _mask(tuple(r for r, role in registers if role is not Role.ADDEND))


def _describe_results(
    target: layout.Instruction, operation: Operation, place: OperationFacts
) -> None:
    results = [(register, place.kind) for register in operation.results if register != PC]
    many = len(results) > _MOST_RESULTS - 1
    access = operation.access
    if access is not None and access.base is not None and access.base_written:
        results.append((access.base, place.base_kind))
        target.attributes |= layout.WRITES_BASE
    if operation.sets_flags:
        results.append((FLAGS, place.kind))
    target.result_mask = _mask(tuple(register for register, _ in results))
    if many:  # no list: the mask says it; the base is ready long before
        target.kind[0] = place.kind
        return
    target.result_count = len(results)
    for i, (register, kind) in enumerate(results):
        target.result[i], target.kind[i] = register, kind


def _describe_access(target: layout.Instruction, operation: Operation, address: int) -> None:
    access = operation.access
    if operation.unit is FunctionalUnit.DIVIDE:
        numerator, denominator = (register for register, _ in operation.sources[:2])
        target.access = layout.DIVIDE
        target.base = layout.unicorn_register(numerator)
        target.index = layout.unicorn_register(denominator)
        target.attributes |= layout.SIGNED if operation.signed else 0
    if access is None:
        return
    target.access = layout.LOAD if access.load else layout.STORE
    target.width, target.words, target.shift = access.width, access.words, access.shift
    target.base = layout.unicorn_register(access.base)
    target.index = layout.unicorn_register(access.index)
    offset = access.offset
    if access.base is None:
        offset += address & ~3 if access.index is None else address
    target.offset = (offset + 0x80000000 & 0xFFFFFFFF) - 0x80000000
    if access.index is not None:
        target.attributes |= layout.REGISTER_OFFSET


def _describe_branch(target: layout.Instruction, operation: Operation) -> None:
    target.branch, target.condition = operation.branch, operation.condition
    if operation.branch not in (Branch.CONDITIONAL, Branch.DIRECT):
        return
    if operation.distance <= 0:
        target.attributes |= layout.BACKWARD
    if operation.branch is Branch.CONDITIONAL and operation.distance == operation.bytes:
        target.attributes |= layout.NEXT_IS_TARGET
    if operation.condition >= IF_ZERO:
        target.base = layout.unicorn_register(operation.sources[0][0])
    elif operation.condition != ALWAYS:
        target.base = layout.UNICORN_FLAGS
