# SPDX-License-Identifier: Apache-2.0
"""From Thumb code to operations. Capstone names instructions and operands; roles are ours.

Capstone's lists of registers read and written are not used: of SXTAB16, PKHBT, SMLAL, SSAT, STMDB
and VLDM they are incomplete (5.0.7). Encodings: ARMv7-M ARM chapter A5 to A7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import capstone
from capstone import arm

from unas.virtual.core.instruction_hooks import instruction_sizes
from unas.virtual.timing.operations import (
    FIRST_SINGLE,
    FLAGS,
    IF_NOT_ZERO,
    IF_ZERO,
    Access,
    Branch,
    FunctionalUnit,
    Operation,
    Role,
    mnemonic,
    sets_flags,
    unit_of,
)

_PC, _LR, _SP = 15, 14, 13

# Multiplications whose last operand, or whose two results, are added to.
_ADDEND_LAST = re.compile(r"(mla|mls|smla(?!l).*|smls(?!ld).*|smml[as]r?)")
_ADDEND_RESULTS = re.compile(r"([su]mlal.*|smlsld.*|umaal)")
_TWO_RESULTS = re.compile(r"([su]mull|[su]mlal.*|smlsld.*|umaal)")
_COMPARES = re.compile(r"(cmp|cmn|tst|teq)")
_SETS_GE = re.compile(r"[su](add|sub)(8|16)|[su](asx|sax)")


def _numbers() -> dict[int, tuple[int, ...]]:
    """Our numbers of a Capstone register: a double register is two single ones."""
    numbers: dict[int, tuple[int, ...]] = {getattr(arm, f"ARM_REG_R{i}"): (i,) for i in range(13)}
    numbers |= {arm.ARM_REG_SP: (_SP,), arm.ARM_REG_LR: (_LR,), arm.ARM_REG_PC: (_PC,)}
    numbers |= {getattr(arm, f"ARM_REG_S{i}"): (FIRST_SINGLE + i,) for i in range(32)}
    for i in range(16):
        first = FIRST_SINGLE + 2 * i
        numbers[getattr(arm, f"ARM_REG_D{i}")] = (first, first + 1)
    return numbers


_NUMBERS = _numbers()


def _registers(instruction: Any) -> list[tuple[int, ...]]:
    """Register operands in order."""
    return [
        _NUMBERS.get(operand.reg, ())
        for operand in instruction.operands
        if operand.type == arm.ARM_OP_REG
    ]


def _flat(groups: list[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(number for group in groups for number in group)


def _read(groups: list[tuple[int, ...]], role: Role) -> tuple[tuple[int, Role], ...]:
    return tuple((number, role) for number in _flat(groups) if number != _PC)


def rotated_constant(code: bytes) -> bool:
    """Whether the code has a modified immediate that is a rotated byte; ARMv7-M ARM A5.3.2."""
    if len(code) != 4:
        return False
    first, second = int.from_bytes(code[:2], "little"), int.from_bytes(code[2:], "little")
    if first & 0xFA00 != 0xF000 or second & 0x8000:
        return False
    return (first >> 10 & 1) << 4 | (second >> 12 & 7) << 1 | (second >> 7 & 1) >= 8


def _memory_operand(instruction: Any) -> Any:
    return next(o for o in instruction.operands if o.type == arm.ARM_OP_MEM)


def _access(instruction: Any, load: bool, width: int, words: int) -> Access:
    operand = _memory_operand(instruction)
    base = _NUMBERS[operand.mem.base][0]
    index = _NUMBERS[operand.mem.index][0] if operand.mem.index else None
    offset = 0 if instruction.post_index else operand.mem.disp
    constants = [o.imm for o in instruction.operands if o.type == arm.ARM_OP_IMM]
    step = constants[-1] if instruction.post_index else offset
    if base == _PC:
        return Access(load, width, words, None, index, operand.shift.value, 4 + offset)
    written, shift = bool(instruction.writeback), operand.shift.value
    return Access(load, width, words, base, index, shift, offset, written, step if written else 0)


def _address_sources(access: Access) -> tuple[tuple[int, Role], ...]:
    registers = (r for r in (access.base, access.index) if r is not None)
    return tuple((register, Role.ADDRESS) for register in registers)


def _decode_single(instruction: Any, name: str, unit: FunctionalUnit) -> Operation:
    """LDR, STR, VLDR, VSTR, LDRD, STRD, LDREX, STREX."""
    load = name.startswith(("ld", "vld"))
    width = {"b": 1, "h": 2}.get(name.removesuffix("t")[-1], 4)
    groups = _registers(instruction)
    exclusive_store = name.startswith("strex")
    data = groups[1:] if exclusive_store else groups
    words = (
        len(_flat(data))
        if unit in (FunctionalUnit.DOUBLE, FunctionalUnit.FP_LOAD, FunctionalUnit.FP_STORE)
        else 1
    )
    access = _access(instruction, load, width, words)
    sources = _address_sources(access)
    if not load:
        sources += _read(data, Role.DATA)
    results = _flat(data) if load else _flat(groups[:1] if exclusive_store else [])
    branch = Branch.NONE
    if _PC in results:  # LDR PC, [SP], #4 is POP {PC}
        branch = Branch.RETURN if access.base == _SP and access.base_written else Branch.INDIRECT
    return Operation(unit, instruction.size, sources, results, access=access, branch=branch)


def _decode_multiple(instruction: Any, name: str) -> Operation:
    groups = _registers(instruction)
    if name in ("push", "pop", "vpush", "vpop"):
        base, moved, writes = _SP, groups, True
    else:
        base, moved, writes = groups[0][0], groups[1:], bool(instruction.writeback)
    load = name.startswith(("ld", "vld", "pop", "vpop"))
    words = len(_flat(moved))
    down = name.endswith(("db", "ea", "push"))
    offset, step = (-4 * words, -4 * words) if down else (0, 4 * words)
    access = Access(load, 4, words, base, offset=offset, base_written=writes, step=step)
    results = _flat(moved) if load else ()
    branch = Branch.RETURN if _PC in results else Branch.NONE
    sources = _address_sources(access)
    return Operation(
        FunctionalUnit.MULTIPLE, instruction.size, sources, results, access=access, branch=branch
    )


def _decode_branch(instruction: Any, name: str) -> Operation:
    size = instruction.size
    if name in ("tbb", "tbh"):
        width = 1 if name == "tbb" else 2
        access = _access(instruction, True, width, 1)
        if access.base is None:
            access = replace(access, offset=4)
        sources = _address_sources(access)
        return Operation(FunctionalUnit.BRANCH, size, sources, access=access, branch=Branch.TABLE)
    registers = _flat(_registers(instruction))
    linked = (_LR,) if name in ("bl", "blx") else ()
    if name in ("bx", "blx"):
        branch = Branch.RETURN if registers == (_LR,) and name == "bx" else Branch.INDIRECT
        return Operation(FunctionalUnit.BRANCH, size, results=linked, branch=branch)
    distance = instruction.operands[-1].imm - instruction.address
    if name in ("cbz", "cbnz"):
        condition = IF_ZERO if name == "cbz" else IF_NOT_ZERO
        sources = ((registers[0], Role.ALU),)
        return Operation(
            FunctionalUnit.BRANCH,
            size,
            sources,
            branch=Branch.CONDITIONAL,
            distance=distance,
            condition=condition,
        )
    if instruction.cc in (arm.ARM_CC_AL, arm.ARM_CC_INVALID):
        return Operation(
            FunctionalUnit.BRANCH, size, results=linked, branch=Branch.DIRECT, distance=distance
        )
    return Operation(
        FunctionalUnit.BRANCH,
        size,
        branch=Branch.CONDITIONAL,
        distance=distance,
        condition=instruction.cc - arm.ARM_CC_EQ,
    )


def _decode_multiply(instruction: Any, name: str) -> Operation:
    groups = _registers(instruction)
    count = 2 if _TWO_RESULTS.fullmatch(name) else 1
    if len(groups) == count + 1:  # MULS Rd, Rn: Rd is the other operand
        groups = [*groups, groups[0]]
    results, factors = groups[:count], groups[count : count + 2]
    sources = _read(factors, Role.MULTIPLICAND)
    if _ADDEND_RESULTS.fullmatch(name):
        sources += _read(results, Role.ADDEND)
    elif _ADDEND_LAST.fullmatch(name):
        sources += _read(groups[count + 2 :], Role.ADDEND)
    return Operation(
        FunctionalUnit.MULTIPLY,
        instruction.size,
        sources,
        _flat(results),
        sets_flags=sets_flags(instruction),
    )


_EARLY_ALL = (FunctionalUnit.EXTRACT, FunctionalUnit.REVERSE)
_EARLY_LAST = (FunctionalUnit.INSERT, FunctionalUnit.EXTEND_ADD, FunctionalUnit.PACK)
_ONE_OPERAND = ("mov", "movw", "mvn", "adr", "neg", "rrx")
_READS_RESULT = ("movt", "bfi", "bfc")
_READS_FLAGS = ("adc", "sbc", "rrx", "sel")


def _decode_alu(instruction: Any, name: str, unit: FunctionalUnit, code: bytes) -> Operation:
    groups = _registers(instruction)
    operands = groups
    results: tuple[int, ...] = ()
    if not _COMPARES.fullmatch(name):
        results = _flat(groups[:1])
        two = len(instruction.operands) == 2 and name not in _ONE_OPERAND
        reads_result = name in _READS_RESULT or (
            two and unit in (FunctionalUnit.MOVE, FunctionalUnit.ALU, FunctionalUnit.SHIFT)
        )
        operands = groups if reads_result else groups[1:]
    shifted = any(o.shift.type != 0 for o in instruction.operands)
    sources = _read(operands, Role.EARLY if unit in _EARLY_ALL or name == "pkhtb" else Role.ALU)
    in_shifter = unit in _EARLY_LAST or (
        shifted and unit in (FunctionalUnit.MOVE, FunctionalUnit.ALU)
    )
    if in_shifter and sources and name != "bfc":
        sources = (*sources[:-1], (sources[-1][0], Role.EARLY))
    if name in _READS_FLAGS:
        sources += ((FLAGS, Role.ALU),)
    constants = [o.imm for o in instruction.operands if o.type == arm.ARM_OP_IMM]
    plain = unit in (FunctionalUnit.MOVE, FunctionalUnit.ALU)
    copy = None
    if (
        unit is FunctionalUnit.MOVE
        and name[:3] in ("add", "sub", "mov")
        and not shifted
        and len(sources) == 1
    ):
        copy = sources[0][0], -sum(constants) if name.startswith("sub") else sum(constants)
    return Operation(
        unit,
        instruction.size,
        sources,
        results,
        sets_flags=bool(
            sets_flags(instruction) or _COMPARES.fullmatch(name) or _SETS_GE.fullmatch(name)
        ),
        branch=Branch.INDIRECT if _PC in results else Branch.NONE,
        copy=copy,
        shifted=plain and (shifted or rotated_constant(code)),
        long_constant=plain and any(not 0 <= constant < 256 for constant in constants),
    )


def _decode_divide(instruction: Any, name: str) -> Operation:
    groups = _registers(instruction)
    sources = _read(groups[-2:], Role.ALU)
    return Operation(
        FunctionalUnit.DIVIDE, instruction.size, sources, _flat(groups[:1]), signed=name == "sdiv"
    )


_FP_FACTORS = (FunctionalUnit.FP_MULTIPLY, FunctionalUnit.FP_FUSED, FunctionalUnit.FP_CHAINED)
_FP_ADDED = (FunctionalUnit.FP_FUSED, FunctionalUnit.FP_CHAINED)


def _fp_move(groups: list[tuple[int, ...]], constant: bool) -> FunctionalUnit:
    if constant or len(groups) < 2:
        return FunctionalUnit.FP_IMMEDIATE
    if len(groups) > 2:
        return FunctionalUnit.FP_MOVE_TWO
    if groups[0] and groups[0][0] < FLAGS:
        return FunctionalUnit.FP_TO_CORE
    return (
        FunctionalUnit.FP_FROM_CORE
        if groups[1] and groups[1][0] < FLAGS
        else FunctionalUnit.FP_COPY
    )


def _decode_fp(instruction: Any, name: str, unit: FunctionalUnit) -> Operation:
    groups = _registers(instruction)
    if name == "vmov":
        unit = _fp_move(groups, any(o.type == arm.ARM_OP_FP for o in instruction.operands))
    if name in ("vcmp", "vcmpe"):
        return Operation(unit, instruction.size, _read(groups, Role.ALU))
    if name == "vmrs":
        flags = bool(instruction.update_flags)
        return Operation(
            unit, instruction.size, results=() if flags else _flat(groups[:1]), sets_flags=flags
        )
    count = len(groups) // 2 if unit is FunctionalUnit.FP_MOVE_TWO else 1
    results, operands = groups[:count], groups[count:]
    role = Role.MULTIPLICAND if unit in _FP_FACTORS else Role.ALU
    if unit in (FunctionalUnit.FP_COPY, FunctionalUnit.FP_TO_CORE):
        role = Role.EARLY
    sources = _read(operands, role)
    if unit in _FP_ADDED:
        sources += _read(results, Role.ADDEND)
    if name.startswith("vsel"):
        sources += ((FLAGS, Role.ALU),)
    double = any(len(group) == 2 for group in groups)
    return Operation(unit, instruction.size, sources, _flat(results), double=double)


_MEMORY_UNITS = (
    FunctionalUnit.LOAD,
    FunctionalUnit.STORE,
    FunctionalUnit.DOUBLE,
    FunctionalUnit.FP_LOAD,
    FunctionalUnit.FP_STORE,
)
_Decoder = Callable[[Any, str, FunctionalUnit, bytes], Operation]
_DECODERS: dict[FunctionalUnit, _Decoder] = {
    FunctionalUnit.MULTIPLE: lambda i, name, unit, code: _decode_multiple(i, name),
    FunctionalUnit.BRANCH: lambda i, name, unit, code: _decode_branch(i, name),
    FunctionalUnit.MULTIPLY: lambda i, name, unit, code: _decode_multiply(i, name),
    FunctionalUnit.DIVIDE: lambda i, name, unit, code: _decode_divide(i, name),
    FunctionalUnit.NOP: lambda i, name, unit, code: Operation(unit, i.size),
    FunctionalUnit.IT: lambda i, name, unit, code: Operation(unit, i.size, it_length=len(name) - 1),
} | {unit: lambda i, name, unit, code: _decode_single(i, name, unit) for unit in _MEMORY_UNITS}


def _decode_system(instruction: Any) -> Operation:
    results = _flat(_registers(instruction)) if instruction.mnemonic == "mrs" else ()
    return Operation(FunctionalUnit.SYSTEM, instruction.size, results=results)


class Decoder:
    """Decodes straight-line Thumb code; what it has seen before it does not decode again."""

    def __init__(self) -> None:
        self._capstone = capstone.Cs(
            capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS
        )
        self._capstone.detail = True
        self._known: dict[bytes, Operation] = {}

    def block(self, code: bytes) -> Iterator[Operation]:
        """The operations of the code, IT blocks taken into account."""
        position = conditional = 0
        for size in instruction_sizes(code):
            operation = self._one(code[position : position + size], size)
            if conditional:
                operation = _in_it_block(operation)
                conditional -= 1
            conditional = conditional or operation.it_length
            yield operation
            position += size

    def _one(self, code: bytes, size: int) -> Operation:
        # One at a time: Capstone stops at what it does not know, the count must not.
        operation = self._known.get(code)
        if operation is None:
            decoded = next(self._capstone.disasm(code, 0, 1), None)
            operation = (
                Operation(FunctionalUnit.SYSTEM, size)
                if decoded is None
                else self._decode(decoded, code)
            )
            self._known[code] = operation
        return operation

    def _decode(self, instruction: Any, code: bytes) -> Operation:
        name = mnemonic(instruction)
        unit = unit_of(name)
        if unit is FunctionalUnit.SYSTEM:
            return _decode_system(instruction)
        if unit.name.startswith("FP_") and unit not in _MEMORY_UNITS:
            return _decode_fp(instruction, name, unit)
        decoder = _DECODERS.get(unit, _decode_alu)
        return decoder(instruction, name, unit, code)


def _in_it_block(operation: Operation) -> Operation:
    """It reads the flags; a short one sets none unless it compares (ARMv7-M ARM A7.7.38)."""
    compares = not operation.results
    return replace(
        operation,
        sources=(*operation.sources, (FLAGS, Role.ALU)),
        sets_flags=operation.sets_flags and (operation.bytes == 4 or compares),
        skippable=True,
    )
