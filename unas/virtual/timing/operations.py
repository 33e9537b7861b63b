# SPDX-License-Identifier: Apache-2.0
"""One instruction as timing sees it: its unit, and what each register is to it. Of no core yet.

Which unit an instruction belongs to, by its name.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Any

from capstone import arm

PC = 15
FLAGS = 16
"""Number of the condition flags among the registers: 0..15 R0..PC, 32..63 S0..S31."""
FIRST_SINGLE = 32
ALWAYS, IF_ZERO, IF_NOT_ZERO = 15, 16, 17
"""Conditions besides the architecture's 0..13: of CBZ and CBNZ the last two."""


class FunctionalUnit(enum.Enum):
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

    unit: FunctionalUnit
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


# Mnemonics without condition, width and type, as regular expressions; the first that fits counts.
_UNITS: tuple[tuple[str, FunctionalUnit], ...] = (
    (r"nop", FunctionalUnit.NOP),
    (r"it[te]{0,3}", FunctionalUnit.IT),
    (r"(b|bl|bx|blx|cbz|cbnz|tbb|tbh)", FunctionalUnit.BRANCH),
    (r"(ldrd|strd)", FunctionalUnit.DOUBLE),
    (r"(ldm|stm)(ia|db|fd|ea)?|push|pop", FunctionalUnit.MULTIPLE),
    (r"v(ldm|stm)(ia|db)?|vpush|vpop", FunctionalUnit.MULTIPLE),
    (r"vldr", FunctionalUnit.FP_LOAD),
    (r"vstr", FunctionalUnit.FP_STORE),
    (r"ldr(s?[bh])?t?|ldrex[bh]?|lda.*", FunctionalUnit.LOAD),
    (r"str[bh]?t?|strex[bh]?|stl.*", FunctionalUnit.STORE),
    (r"(add|sub|mov)w?|adr", FunctionalUnit.MOVE),
    (r"movt", FunctionalUnit.ALU),
    (r"(adc|sbc|rsb|and|orr|eor|bic|orn|mvn|cmp|cmn|tst|teq|rrx|neg)", FunctionalUnit.ALU),
    (r"(lsl|lsr|asr|ror)", FunctionalUnit.SHIFT),
    (r"[su]xt[bh]", FunctionalUnit.EXTEND),
    (r"[su]xta(b|h|b16)", FunctionalUnit.EXTEND_ADD),
    (r"pkh(bt|tb)", FunctionalUnit.PACK),
    (r"[su]bfx", FunctionalUnit.EXTRACT),
    (r"rev(16|sh)?|rbit", FunctionalUnit.REVERSE),
    (r"bf[ic]", FunctionalUnit.INSERT),
    (r"[su]div", FunctionalUnit.DIVIDE),
    (r"(mul|mla|mls|[su]mull|[su]mlal|umaal)", FunctionalUnit.MULTIPLY),
    (r"s?smul.*|smla.*|smls.*|smua.*|smus.*|smml.*|smmul.*", FunctionalUnit.MULTIPLY),
    (
        r"(q|s|u|sh|uh|uq)(add|sub)(8|16)|(q|s|u|sh|uh|uq)(asx|sax)|q?d?(add|sub)",
        FunctionalUnit.DSP,
    ),
    (r"qdadd|qdsub|[su]xtb16|[su]sat(16)?|sel|usada?8|clz", FunctionalUnit.DSP),
    (r"v(n?mul)", FunctionalUnit.FP_MULTIPLY),
    (r"vf(n?)m[as]", FunctionalUnit.FP_FUSED),
    (r"v(n?)ml[as]", FunctionalUnit.FP_CHAINED),
    (r"vdiv", FunctionalUnit.FP_DIVIDE),
    (r"vsqrt", FunctionalUnit.FP_ROOT),
    (r"vm(rs)", FunctionalUnit.FP_TO_CORE),
    (r"vm(sr)", FunctionalUnit.FP_FROM_CORE),
    (r"vmov", FunctionalUnit.FP_COPY),
    (r"v.*", FunctionalUnit.FP_ADD),
)
_PATTERNS = tuple((re.compile(pattern), unit) for pattern, unit in _UNITS)


def mnemonic(instruction: Any) -> str:
    """Name without ``.w``, data type, condition and S."""
    name: str = instruction.mnemonic.split(".")[0]
    if instruction.cc not in (arm.ARM_CC_AL, arm.ARM_CC_INVALID) and not name.startswith(
        ("it", "vsel")
    ):
        name = name[:-2]
    if instruction.update_flags and name.endswith("s") and not name.startswith(("vm", "mls")):
        name = name[:-1]
    return name


def sets_flags(instruction: Any) -> bool:
    """Whether its S bit is set."""
    # Capstone 5.0.7 says it of ADC.W and SBC.W, too.
    name: str = instruction.mnemonic.split(".")[0]
    return bool(instruction.update_flags) and name.endswith("s")


def unit_of(name: str) -> FunctionalUnit:
    """The unit of a name without condition, S and type; ``SYSTEM`` where it is not known."""
    return next(
        (unit for pattern, unit in _PATTERNS if pattern.fullmatch(name)), FunctionalUnit.SYSTEM
    )
