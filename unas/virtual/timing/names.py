# SPDX-License-Identifier: Apache-2.0
"""Which unit an instruction belongs to, by its name."""

from __future__ import annotations

import re
from typing import Any

from capstone import arm

from unas.virtual.timing.operations import Unit

# Mnemonics without condition, width and type, as regular expressions; the first that fits counts.
_UNITS: tuple[tuple[str, Unit], ...] = (
    (r"nop", Unit.NOP),
    (r"it[te]{0,3}", Unit.IT),
    (r"(b|bl|bx|blx|cbz|cbnz|tbb|tbh)", Unit.BRANCH),
    (r"(ldrd|strd)", Unit.DOUBLE),
    (r"(ldm|stm)(ia|db|fd|ea)?|push|pop", Unit.MULTIPLE),
    (r"v(ldm|stm)(ia|db)?|vpush|vpop", Unit.MULTIPLE),
    (r"vldr", Unit.FP_LOAD),
    (r"vstr", Unit.FP_STORE),
    (r"ldr(s?[bh])?t?|ldrex[bh]?|lda.*", Unit.LOAD),
    (r"str[bh]?t?|strex[bh]?|stl.*", Unit.STORE),
    (r"(add|sub|mov)w?|adr", Unit.MOVE),
    (r"movt", Unit.ALU),
    (r"(adc|sbc|rsb|and|orr|eor|bic|orn|mvn|cmp|cmn|tst|teq|rrx|neg)", Unit.ALU),
    (r"(lsl|lsr|asr|ror)", Unit.SHIFT),
    (r"[su]xt[bh]", Unit.EXTEND),
    (r"[su]xta(b|h|b16)", Unit.EXTEND_ADD),
    (r"pkh(bt|tb)", Unit.PACK),
    (r"[su]bfx", Unit.EXTRACT),
    (r"rev(16|sh)?|rbit", Unit.REVERSE),
    (r"bf[ic]", Unit.INSERT),
    (r"[su]div", Unit.DIVIDE),
    (r"(mul|mla|mls|[su]mull|[su]mlal|umaal)", Unit.MULTIPLY),
    (r"s?smul.*|smla.*|smls.*|smua.*|smus.*|smml.*|smmul.*", Unit.MULTIPLY),
    (r"(q|s|u|sh|uh|uq)(add|sub)(8|16)|(q|s|u|sh|uh|uq)(asx|sax)|q?d?(add|sub)", Unit.DSP),
    (r"qdadd|qdsub|[su]xtb16|[su]sat(16)?|sel|usada?8|clz", Unit.DSP),
    (r"v(n?mul)", Unit.FP_MULTIPLY),
    (r"vf(n?)m[as]", Unit.FP_FUSED),
    (r"v(n?)ml[as]", Unit.FP_CHAINED),
    (r"vdiv", Unit.FP_DIVIDE),
    (r"vsqrt", Unit.FP_ROOT),
    (r"vm(rs)", Unit.FP_TO_CORE),
    (r"vm(sr)", Unit.FP_FROM_CORE),
    (r"vmov", Unit.FP_COPY),
    (r"v.*", Unit.FP_ADD),
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


def unit_of(name: str) -> Unit:
    """The unit of a name without condition, S and type; what is not known is ``Unit.SYSTEM``."""
    return next((unit for pattern, unit in _PATTERNS if pattern.fullmatch(name)), Unit.SYSTEM)
