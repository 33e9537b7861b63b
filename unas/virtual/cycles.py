# SPDX-License-Identifier: Apache-2.0
"""What a basic block costs: the seam of the cycle models, and a first model of the Cortex-M7."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import capstone
from capstone import arm

from unas.virtual.thumb import instruction_sizes


@dataclass(frozen=True, slots=True)
class BlockCost:
    """What one execution of a basic block adds.

    Attributes:
        instructions: Executed instructions; one skipped inside an IT block counts, as in the core.
        cycles: Core clock cycles.
    """

    instructions: int
    cycles: int


class CycleModel(Protocol):
    """Prices basic blocks. Must depend on its arguments only: a block is asked for once."""

    @property
    def name(self) -> str:
        """Name of the model; every number that stands on it says so."""

    def block(self, address: int, code: bytes) -> BlockCost:
        """Price of the straight-line Thumb code at ``address``; its last instruction may branch."""


# Sources: JNK = jnk0le's Cortex-M7 pipeline tests on an STM32H743; LLVM7 = LLVM's ARMScheduleM7.td
# (a belief, not a measurement); TRM = Cortex-M7 TRM, DDI 0489; RE = rust-embedded/cortex-m #430.
_DIVIDE_CYCLES = 7  # LLVM7; no measurement of its early-out is published
_VDIV_CYCLES = 16  # JNK, LLVM7
_VSQRT_CYCLES = 14  # JNK
_REGISTERS_PER_CYCLE = 2  # JNK: LDM, STM, PUSH, POP, LDRD and STRD move two words a cycle, alone
_TAKEN_BRANCH_CYCLES = (
    0  # beyond its own: the BTAC turns a predicted branch around in one (TRM, RE)
)
_TABLE_BRANCH_CYCLES = 2  # LLVM7: TBB and TBH are two operations
_ACCUMULATE_CYCLES = 1  # JNK: from one multiply to the accumulator of the next
_LATENCY = {  # cycles from issue until a dependent instruction may issue
    "alu": 1,  # JNK
    "load": 2,  # JNK: from 1, word to late ALU, to 3, byte to multiply or anything to address
    "multiply": 2,  # JNK, LLVM7
    "fp": 3,  # JNK: VADD, VMUL; VFMA along its addend
}

_FLAG_REGISTERS = frozenset(
    {arm.ARM_REG_CPSR, arm.ARM_REG_APSR, arm.ARM_REG_ITSTATE, arm.ARM_REG_FPSCR, arm.ARM_REG_PC}
)
_MULTI_WORD = ("ldm", "stm", "push", "pop", "ldrd", "strd", "vldm", "vstm", "vpush", "vpop")
_MULTIPLY = (
    "mul",
    "mla",
    "mls",
    "smul",
    "umul",
    "smla",
    "umla",
    "smls",
    "smua",
    "smus",
    "smml",
    "umaa",
)
_BRANCHES = (capstone.CS_GRP_JUMP, capstone.CS_GRP_CALL, capstone.CS_GRP_RET)


@dataclass(frozen=True, slots=True)
class _Operation:
    unit: str  # "alu", "load", "store", "multiply", "branch" or "fp"
    cycles: int  # it occupies issue for so long; more than 1: alone
    alone: bool
    reads: frozenset[int]
    writes: frozenset[int]

    @property
    def latency(self) -> int:
        return max(self.cycles, _LATENCY.get(self.unit, 1))


_UNKNOWN = _Operation("alu", 1, True, frozenset(), frozenset())


def _words(instruction: Any) -> int:
    """Words that a multi-word load or store moves; the base of LDM and STM is not moved."""
    doubles = range(arm.ARM_REG_D0, arm.ARM_REG_D31 + 1)
    registers = [o.reg for o in instruction.operands if o.type == arm.ARM_OP_REG]
    has_base = instruction.mnemonic.startswith(("ldm", "stm", "vldm", "vstm"))
    return sum(2 if register in doubles else 1 for register in registers[has_base:])


def _shape(instruction: Any) -> tuple[str, int, bool]:
    """Unit, cycles and whether it issues alone."""
    name = instruction.mnemonic
    if name.startswith(_MULTI_WORD):
        unit = "store" if name.startswith(("st", "vst", "push", "vpush")) else "load"
        return unit, -(-_words(instruction) // _REGISTERS_PER_CYCLE), True
    if name.startswith(("ldr", "vldr")):
        return "load", 1, False
    if name.startswith(("str", "vstr")):
        return "store", 1, False
    if name.startswith("v"):
        cycles = {"vdiv": _VDIV_CYCLES, "vsqr": _VSQRT_CYCLES}.get(name[:4], 1)
        return "fp", cycles, cycles > 1
    if name.startswith(("sdiv", "udiv")):
        return "alu", _DIVIDE_CYCLES, True
    if name.startswith(_MULTIPLY):
        return "multiply", 1, False
    if name.startswith("tb"):
        return "branch", _TABLE_BRANCH_CYCLES, True
    if any(instruction.group(group) for group in _BRANCHES):
        return "branch", 1 + _TAKEN_BRANCH_CYCLES, False
    return "alu", 1, name.startswith(("it", "dsb", "dmb", "isb", "mrs", "msr", "cps"))


def _operation(instruction: Any) -> _Operation:
    unit, cycles, alone = _shape(instruction)
    reads, writes = instruction.regs_access()
    return _Operation(
        unit, cycles, alone, frozenset(reads) - _FLAG_REGISTERS, frozenset(writes) - _FLAG_REGISTERS
    )


def _may_pair(older: _Operation, younger: _Operation) -> bool:
    if older.alone or younger.alone or older.unit == "branch":
        return False
    memory = {"load", "store"}
    if older.unit in memory and younger.unit in memory:
        return False
    if older.writes & younger.writes:
        return False
    return older.unit != younger.unit or older.unit == "alu"


def _ready(producer: tuple[int, _Operation] | None, consumer: _Operation) -> int:
    """First cycle in which ``consumer`` may use the producer's result."""
    if producer is None:
        return 0
    issued, operation = producer
    chained = operation.unit == consumer.unit == "multiply"
    return issued + (_ACCUMULATE_CYCLES if chained else operation.latency)


def _cycles(operations: list[_Operation]) -> int:
    """In-order issue of up to two operations a cycle; results are ready after their latency."""
    producers: dict[int, tuple[int, _Operation]] = {}
    now = -1  # cycle in which the latest operation issued
    free = 0  # first cycle in which another pair may start
    older: _Operation | None = None
    for operation in operations:
        earliest = max((_ready(producers.get(r), operation) for r in operation.reads), default=0)
        if older is not None and earliest <= now and _may_pair(older, operation):
            older = None
        else:
            now = max(free, earliest)
            free = now + operation.cycles
            older = operation
        producers.update((register, (now, operation)) for register in operation.writes)
    return max(free, 1)


class PairingModel:
    """In-order dual issue, block by block: all memory answers at once, all branches are predicted.

    A pair holds at most one load or store, one multiply, one branch and one floating-point
    operation, and no instruction that needs the other's result. Not modelled: caches, flash wait
    states, branch misses, unaligned access, what is in flight across a block's end.
    """

    name = "pairing"

    def __init__(self) -> None:
        self._decoder = capstone.Cs(
            capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS
        )
        self._decoder.detail = True
        self._known: dict[bytes, _Operation] = {}

    def block(self, address: int, code: bytes) -> BlockCost:
        """See ``CycleModel.block``."""
        operations = []
        position = 0
        for size in instruction_sizes(code):
            operations.append(self._decode(code[position : position + size]))
            position += size
        return BlockCost(len(operations), _cycles(operations))

    def _decode(self, code: bytes) -> _Operation:
        # One at a time: Capstone stops at what it does not know, the count must not.
        operation = self._known.get(code)
        if operation is None:
            decoded = next(self._decoder.disasm(code, 0, 1), None)
            operation = _UNKNOWN if decoded is None else _operation(decoded)
            self._known[code] = operation
        return operation
