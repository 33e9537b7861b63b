# SPDX-License-Identifier: Apache-2.0
"""One instruction as timing sees it: its unit, and what each register is to it. Of no core yet."""

from __future__ import annotations

import enum
from dataclasses import dataclass

PC = 15
FLAGS = 16
"""Number of the condition flags among the registers: 0..15 R0..PC, 32..63 S0..S31."""
FIRST_SINGLE = 32
ALWAYS, IF_ZERO, IF_NOT_ZERO = 15, 16, 17
"""Conditions besides the architecture's 0..13: of CBZ and CBNZ the last two."""


class Unit(enum.Enum):
    """What kind of work an instruction is."""

    MOVE = "ADD, SUB, MOV: what the M7's early ALU can do"
    ALU = "all other plain arithmetic and logic"
    SHIFT = "shifts and rotations as instructions of their own"
    DSP = "saturation, SIMD, extension, CLZ, SEL"
    EXTEND = "SXTB, SXTH, UXTB, UXTH"
    EXTRACT = "SBFX, UBFX"
    REVERSE = "REV, REV16, REVSH, RBIT"
    INSERT = "BFI, BFC"
    EXTEND_ADD = "SXTAB, UXTAH, ..."
    PACK = "PKHBT, PKHTB"
    MULTIPLY = "multiply, with or without accumulation"
    DIVIDE = "SDIV, UDIV"
    LOAD = "one register from memory"
    STORE = "one register to memory"
    DOUBLE = "LDRD, STRD"
    MULTIPLE = "LDM, STM, PUSH, POP, VLDM, VSTM"
    FP_LOAD = "VLDR"
    FP_STORE = "VSTR"
    BRANCH = "anything that may jump, but loads"
    IT = "IT"
    NOP = "NOP"
    SYSTEM = "barriers, MRS, MSR, CPS and what is not known"
    FP_ADD = "VADD, VSUB, VCMP, VCVT, VABS, ..."
    FP_MULTIPLY = "VMUL, VNMUL"
    FP_FUSED = "VFMA, VFMS, ..."
    FP_CHAINED = "VMLA, VMLS, ...: multiply, round, add"
    FP_DIVIDE = "VDIV"
    FP_ROOT = "VSQRT"
    FP_IMMEDIATE = "VMOV of a constant"
    FP_COPY = "VMOV between FP registers"
    FP_FROM_CORE = "VMOV, VMSR: one register to the FPU"
    FP_TO_CORE = "VMOV, VMRS: one register from the FPU"
    FP_MOVE_TWO = "VMOV of two registers, either way"


class Role(enum.IntEnum):
    """What an operand is to the instruction that reads it; the numbers are those of core.h."""

    ALU = 0
    EARLY = 1
    ADDRESS = 2
    MULTIPLICAND = 3
    ADDEND = 4
    DATA = 5


class Branch(enum.IntEnum):
    """How a branch finds its target; the numbers are those of core.h."""

    NONE = 0
    CONDITIONAL = 1
    DIRECT = 2
    RETURN = 3
    INDIRECT = 4
    TABLE = 5


@dataclass(frozen=True, slots=True)
class Access:
    """What an instruction does to memory.

    Attributes:
        load: Else it stores.
        width: Bytes of one element: 1, 2 or 4.
        words: Number of elements.
        base: Core register, or None: relative to the instruction, see ``offset``.
        index: Core register that is added, or None.
        shift: Of the index, to the left.
        offset: Bytes from the base to the first element; from the instruction's address, made a
            multiple of 4, where there is no base.
        base_written: Pre- or post-indexed.
        step: What is then added to the base.
    """

    load: bool
    width: int
    words: int
    base: int | None
    index: int | None = None
    shift: int = 0
    offset: int = 0
    base_written: bool = False
    step: int = 0


@dataclass(frozen=True, slots=True)
class Operation:
    """One instruction, wherever it stands.

    Attributes:
        unit: What kind of work it is.
        bytes: 2 or 4.
        sources: (register, role) of each operand.
        results: Registers written, the base of an indexed access not among them.
        sets_flags: It writes the condition flags.
        access: What it does to memory, or None.
        branch: How it may jump.
        distance: Bytes from its address to the target of a direct branch.
        condition: Of a conditional branch; ``ALWAYS`` else.
        shifted: An operand is shifted on the way, or a constant is a rotated byte.
        copy: (register, constant) whose sum is the result, where it is as simple as that.
        long_constant: A constant that does not fit eight bits.
        signed: Of a division.
        double: Double precision.
        it_length: Instructions that an IT makes conditional.
        skippable: It stands in an IT block.
    """

    unit: Unit
    bytes: int
    sources: tuple[tuple[int, Role], ...] = ()
    results: tuple[int, ...] = ()
    sets_flags: bool = False
    access: Access | None = None
    branch: Branch = Branch.NONE
    distance: int = 0
    condition: int = ALWAYS
    copy: tuple[int, int] | None = None
    shifted: bool = False
    long_constant: bool = False
    signed: bool = False
    double: bool = False
    it_length: int = 0
    skippable: bool = False
