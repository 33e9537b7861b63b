# SPDX-License-Identifier: Apache-2.0
"""Cortex-M7: tables for native/core_m7.c. Arm publishes none; each row names whose it is.

Sources: JNK = jnk0le/random, "pipeline cycle test/doc/cortex_m7.md", measured on an STM32H743 rev
Y; QUIN = quinapalus.com/cm7cycles.html, measured on an STM32H730; MASTO = pairing experiments under
Mastodon's tag CortexM7; RE = rust-embedded/cortex-m issue 430, measured; LLVM7 = LLVM's
ARMScheduleM7.td, a belief; TRM = Arm DDI 0489; INF = our conclusion, measured by nobody.

An operand of role r may be read in the cycle t of its issue if t + READ[r] >= issue of what
produces it + READY[kind][r]. Both ALUs are one cycle apart: an operand that the late one reads may
be a cycle younger.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from unas.board import Board
from unas.virtual.timing import layout
from unas.virtual.timing.core_model import OperationFacts
from unas.virtual.timing.operations import FunctionalUnit, Operation, Role


class Kind(IntEnum):
    """Where a result comes from."""

    EARLY = 0
    LATE = 1
    REVERSED = 2
    WORD = 3
    NARROW = 4
    PRODUCT = 5
    POINTER = 6
    FP_SUM = 7
    FP_FUSED = 8
    FP_CHAINED = 9
    FP_LOADED = 10
    FP_MOVED = 11


_ALU, _EARLY, _ADDRESS, _FACTOR, _ADDEND, _DATA = Role
READ: dict[Role, int] = {
    _ALU: 1,  # JNK: the late ALU, one cycle behind the early one
    _EARLY: 0,  # JNK: inline-shifted operands, what is extracted by BFI, PKH, SXTA, UBFX, REV
    _ADDRESS: 0,  # JNK, QUIN: the address unit stands beside the early ALU
    _FACTOR: 1,  # JNK: "everything else works normally as late alu consumption"
    _ADDEND: 2,  # JNK: "consumed cycle later in another stage after the late alu"
    _DATA: 3,  # JNK: "can store any result in same cycle, including ldr, ldrh, ldrb"
}
READY: dict[Kind, dict[Role, int]] = {
    # JNK: the early ALU feeds the late one in 0 cycles, the early one in 1
    Kind.EARLY: dict.fromkeys(Role, 1),
    # JNK: everything else executes late; DSP and bitfield results reach an address a cycle later
    Kind.LATE: dict.fromkeys(Role, 2),
    # JNK: REV, RBIT execute early, but their result reaches no early consumer in the next cycle
    Kind.REVERSED: {**dict.fromkeys(Role, 1), _EARLY: 2, _ADDRESS: 2},
    # JNK: words reach the late ALU in the next cycle, no shifter or factor; QUIN: address 3
    Kind.WORD: {**dict.fromkeys(Role, 2), _ADDRESS: 3, _FACTOR: 3},
    # JNK: bytes and halfwords reach the late ALU in the second cycle, the early one in the third
    Kind.NARROW: dict.fromkeys(Role, 3),
    # JNK, QUIN: "1 additional cycle of result latency"; the chain of addends runs every cycle
    Kind.PRODUCT: dict.fromkeys(Role, 3),
    # JNK: pre- and post-indexed loads can be issued back to back every cycle
    Kind.POINTER: dict.fromkeys(Role, 1),
}
# Floating point, in cycles from issue to issue; JNK's table "result latency". EARLY: as source of
# VMOV. Where it has "x" the FP_SHADOW below is the longer.
FP_DISTANCE: dict[Kind, dict[Role, int]] = {
    Kind.FP_SUM: {_ALU: 3, _FACTOR: 3, _ADDEND: 3, _DATA: 1, _EARLY: 3},
    Kind.FP_FUSED: {_ALU: 4, _FACTOR: 5, _ADDEND: 3, _DATA: 3, _EARLY: 5},
    Kind.FP_CHAINED: {_ALU: 4, _FACTOR: 6, _ADDEND: 3, _DATA: 4, _EARLY: 6},
    Kind.FP_LOADED: {_ALU: 1, _FACTOR: 1, _ADDEND: 3, _DATA: 1, _EARLY: 2},
    Kind.FP_MOVED: {_ALU: 3, _FACTOR: 3, _ADDEND: 3, _DATA: 3, _EARLY: 3},
}


class M7Group(IntEnum):
    """What decides which instructions issue together."""

    PLAIN = 0
    SHIFTED = 1
    SHIFT = 2
    DSP = 3
    BITS = 4
    MULTIPLY = 5
    LOAD = 6
    STORE = 7
    BRANCH = 8
    FP = 9
    FP_MAC = 10
    FP_LOAD = 11
    FP_STORE = 12
    FP_MOVE = 13
    ALONE = 14


_G = M7Group
_NEVER: tuple[tuple[tuple[M7Group, ...], tuple[M7Group, ...], str], ...] = (
    # (older, younger), not in the same cycle
    ((_G.ALONE,), tuple(_G), "JNK: LDM, LDRD, PUSH take their cycles alone; INF: SYSTEM"),
    (tuple(_G), (_G.ALONE,), "JNK: the same behind others"),
    (tuple(_G), (_G.DSP, _G.BITS), "JNK, MASTO: must be older; never two of them"),
    ((_G.SHIFTED,), (_G.SHIFTED,), "JNK, MASTO: one shifter"),
    ((_G.SHIFT,), (_G.SHIFTED,), "JNK: '-(?)', slippery"),
    ((_G.BITS,), (_G.SHIFTED,), "JNK: they use the shifter"),
    ((_G.MULTIPLY,), (_G.MULTIPLY,), "JNK, QUIN"),
    ((_G.MULTIPLY,), (_G.STORE, _G.FP_STORE), "JNK; INF for VSTR"),
    ((_G.STORE, _G.FP_STORE), (_G.MULTIPLY,), "JNK; INF for VSTR"),
    ((_G.STORE, _G.FP_STORE), (_G.STORE, _G.FP_STORE), "JNK"),
    ((_G.BRANCH,), (_G.BRANCH,), "INF: one branch a cycle"),
    ((_G.FP, _G.FP_MAC), (_G.FP, _G.FP_MAC), "JNK: arithmetic cannot be dual issued"),
    ((_G.FP_MAC,), (_G.FP_LOAD, _G.FP_STORE, _G.FP_MOVE), "JNK: MACs with no VLDR, VSTR, VMOV"),
    ((_G.FP_LOAD, _G.FP_STORE, _G.FP_MOVE), (_G.FP_MAC,), "JNK: the other way round"),
    ((_G.FP_MOVE,), (_G.FP_MOVE,), "JNK: VMOV of constants; INF for the others"),
)

_GROUPS: dict[FunctionalUnit, M7Group] = {
    FunctionalUnit.MOVE: M7Group.PLAIN,
    FunctionalUnit.ALU: M7Group.PLAIN,
    FunctionalUnit.SHIFT: M7Group.SHIFT,
    FunctionalUnit.DSP: M7Group.DSP,
    FunctionalUnit.EXTEND: M7Group.DSP,
    FunctionalUnit.EXTRACT: M7Group.BITS,
    FunctionalUnit.REVERSE: M7Group.BITS,
    FunctionalUnit.INSERT: M7Group.BITS,
    FunctionalUnit.EXTEND_ADD: M7Group.BITS,
    FunctionalUnit.PACK: M7Group.BITS,
    FunctionalUnit.MULTIPLY: M7Group.MULTIPLY,
    FunctionalUnit.DIVIDE: M7Group.ALONE,
    FunctionalUnit.LOAD: M7Group.LOAD,
    FunctionalUnit.STORE: M7Group.STORE,
    FunctionalUnit.DOUBLE: M7Group.ALONE,
    FunctionalUnit.MULTIPLE: M7Group.ALONE,
    FunctionalUnit.FP_LOAD: M7Group.FP_LOAD,
    FunctionalUnit.FP_STORE: M7Group.FP_STORE,
    FunctionalUnit.BRANCH: M7Group.BRANCH,
    FunctionalUnit.IT: M7Group.BRANCH,  # JNK: behaves like a branch that is predicted and not taken
    FunctionalUnit.NOP: M7Group.PLAIN,  # JNK: "there is no nop elimination"
    FunctionalUnit.SYSTEM: M7Group.ALONE,
    FunctionalUnit.FP_ADD: M7Group.FP,
    FunctionalUnit.FP_MULTIPLY: M7Group.FP,
    FunctionalUnit.FP_FUSED: M7Group.FP_MAC,
    FunctionalUnit.FP_CHAINED: M7Group.FP_MAC,
    FunctionalUnit.FP_DIVIDE: M7Group.ALONE,  # JNK: "locks pipeline for the rest of the duration"
    FunctionalUnit.FP_ROOT: M7Group.ALONE,
    FunctionalUnit.FP_IMMEDIATE: M7Group.FP_MOVE,
    FunctionalUnit.FP_COPY: M7Group.FP_MOVE,
    FunctionalUnit.FP_FROM_CORE: M7Group.FP_MOVE,
    FunctionalUnit.FP_TO_CORE: M7Group.FP_MOVE,
    FunctionalUnit.FP_MOVE_TWO: M7Group.ALONE,  # JNK
}
_KINDS: dict[FunctionalUnit, Kind] = {
    FunctionalUnit.REVERSE: Kind.REVERSED,
    FunctionalUnit.MULTIPLY: Kind.PRODUCT,
    FunctionalUnit.DOUBLE: Kind.WORD,
    FunctionalUnit.MULTIPLE: Kind.WORD,
    FunctionalUnit.FP_LOAD: Kind.FP_LOADED,
    FunctionalUnit.FP_ADD: Kind.FP_SUM,
    FunctionalUnit.FP_MULTIPLY: Kind.FP_SUM,
    FunctionalUnit.FP_FUSED: Kind.FP_FUSED,
    FunctionalUnit.FP_CHAINED: Kind.FP_CHAINED,
    FunctionalUnit.FP_DIVIDE: Kind.FP_SUM,
    FunctionalUnit.FP_ROOT: Kind.FP_SUM,
    FunctionalUnit.FP_IMMEDIATE: Kind.FP_SUM,
    FunctionalUnit.FP_COPY: Kind.FP_MOVED,
    FunctionalUnit.FP_FROM_CORE: Kind.FP_MOVED,
}
_CYCLES: dict[FunctionalUnit, int] = {  # the others: 1
    FunctionalUnit.DIVIDE: 7,  # LLVM7; GCC's cortex-m7.md has 4; its early-out is not published
    FunctionalUnit.FP_DIVIDE: 16,  # JNK, LLVM7
    FunctionalUnit.FP_ROOT: 14,  # JNK
}
_DOUBLE_CYCLES: dict[FunctionalUnit, int] = {  # JNK, operands of one exponent
    FunctionalUnit.FP_ADD: 1,
    FunctionalUnit.FP_MULTIPLY: 5,
    FunctionalUnit.FP_FUSED: 7,
    FunctionalUnit.FP_CHAINED: 8,
    FunctionalUnit.FP_DIVIDE: 30,
    FunctionalUnit.FP_ROOT: 30,  # INF: as VDIV
}
_TABLE_BRANCH_CYCLES = 2  # LLVM7: TBB and TBH are two operations
_FP_SHADOWED = (
    FunctionalUnit.FP_ADD,
    FunctionalUnit.FP_IMMEDIATE,
    FunctionalUnit.MULTIPLE,
)  # JNK; MULTIPLE: VLDM and VSTM only
_FP_MACS = (FunctionalUnit.FP_FUSED, FunctionalUnit.FP_CHAINED)


@dataclass(frozen=True, slots=True)
class M7Switches:
    """Where the sources differ or a part matters.

    Attributes:
        long_constants_shift: MASTO: every constant beyond eight bits uses the shifter. JNK, the
            default: only a rotated byte does.
        extensions_shift: MASTO: SXTB, UXTH and so on use the shifter, too. JNK, the default: no.
        narrow_store_cycles: Cycles of a byte or halfword store in its bank of TCM or cache. JNK: 4
            on the STM32H743, whose RAM has ECC. 0, the default: as a word (no ECC on the F7).
        unaligned_store_cycles: The same of an unaligned store; JNK: 4, on the H743.
        store_queue: Such stores that wait before the core does; JNK: 5 in a row are free.
        pair_over_taken: JNK: a taken branch may pair with one instruction at its target if two
            16-bit instructions came before it; here, only to a target on a 64-bit boundary.
        fetch_bytes: Bytes of code a cycle behind a taken branch; TRM: 64 bits. RE: the loop of one
            cycle an iteration needs the alignment. 0: no limit.
    """

    long_constants_shift: bool = False
    extensions_shift: bool = False
    narrow_store_cycles: int = 0
    unaligned_store_cycles: int = 4
    store_queue: int = 5
    pair_over_taken: bool = True
    fetch_bytes: int = 8


class CortexM7:
    """See ``core_model.CoreModel``."""

    def __init__(self, switches: M7Switches | None = None) -> None:
        self._switches = switches or M7Switches()

    def table(self, board: Board) -> layout.Table:
        """See ``CoreModel.table``; no fact depends on the board yet."""
        table = layout.Table(core=layout.CORE_M7)
        for kind, ready in READY.items():
            for role, cycles in ready.items():
                table.distance[kind][role] = cycles - READ[role]
        for kind, distance in FP_DISTANCE.items():
            for role, cycles in distance.items():
                table.distance[kind][role] = cycles
        for older in M7Group:
            for younger in M7Group:
                table.pairs[older][younger] = 1
        for olders, youngers, _ in _NEVER:
            for older in olders:
                for younger in youngers:
                    table.pairs[older][younger] = 0
        table.load_group = M7Group.LOAD
        table.early_kind, table.early_role = Kind.EARLY, Role.EARLY
        table.mispredict = table.indirect_mispredict = 8  # JNK; INF: the same for indirect ones
        table.mispredict_early_flags = 6  # JNK: flags set 3 cycles before or earlier
        table.early_flags_distance = 3  # JNK
        table.unaligned_older, table.unaligned_younger = 3, 4  # JNK
        table.fp_mac_shadow = 3  # JNK
        table.uncompressed_multiple = 1  # JNK: without two 16-bit instructions nearby
        table.unaligned_store_multiple = 1  # JNK: STM of an even count, not on 8 bytes
        table.divide_zero = 2  # INF
        switches = self._switches
        table.narrow_store = switches.narrow_store_cycles
        table.unaligned_store = switches.unaligned_store_cycles
        table.store_queue = switches.store_queue
        table.pair_over_taken = switches.pair_over_taken
        table.fetch_shift = max(0, switches.fetch_bytes.bit_length() - 1)
        return table

    def place(self, operation: Operation, narrow: int) -> OperationFacts:
        """See ``CoreModel.place``."""
        return OperationFacts(
            self._group(operation),
            _cycles(operation),
            self._attributes(operation, narrow),
            _kind(operation),
            Kind.POINTER,
        )

    def _uses_shifter(self, operation: Operation) -> bool:
        switches = self._switches
        return (
            operation.shifted
            or (switches.long_constants_shift and operation.long_constant)
            or (switches.extensions_shift and operation.unit is FunctionalUnit.EXTEND)
        )

    def _group(self, operation: Operation) -> M7Group:
        group = _GROUPS[operation.unit]
        if group is M7Group.PLAIN and self._uses_shifter(operation):
            return M7Group.SHIFTED
        if self._switches.extensions_shift and operation.unit is FunctionalUnit.EXTEND:
            return M7Group.BITS
        wide = operation.access is not None and operation.access.words == 2
        if group in (M7Group.FP_LOAD, M7Group.FP_STORE) and wide:
            return M7Group.ALONE  # JNK: VLDR.D and VSTR.D dual issue with nothing
        if group is M7Group.BRANCH and operation.access is not None:
            return M7Group.ALONE  # TBB, TBH
        if operation.double and group is M7Group.FP_MAC:
            return M7Group.ALONE
        return group

    def _attributes(self, operation: Operation, narrow: int) -> int:
        attributes = 0
        unit = operation.unit
        if unit is FunctionalUnit.MOVE and not self._uses_shifter(operation):
            attributes |= layout.EARLY
        if unit is FunctionalUnit.SHIFT:
            attributes |= layout.EARLY | layout.EARLY_ANY
        if _group_is_multiple(unit) and narrow < 2:
            attributes |= layout.UNCOMPRESSED
        fp_multiple = unit is FunctionalUnit.MULTIPLE and any(r >= 32 for r in operation.results)
        if unit in _FP_SHADOWED and (unit is not FunctionalUnit.MULTIPLE or fp_multiple):
            attributes |= layout.FP_SHADOWED
        if unit in _FP_MACS:
            attributes |= layout.FP_MAC
        return attributes


def _group_is_multiple(unit: FunctionalUnit) -> bool:
    return unit in (FunctionalUnit.MULTIPLE, FunctionalUnit.DOUBLE)


def _kind(operation: Operation) -> Kind:
    access = operation.access
    if operation.unit is FunctionalUnit.LOAD:
        return Kind.WORD if access is not None and access.width == 4 else Kind.NARROW
    if any(register >= 32 for register in operation.results) and access is not None:
        return Kind.FP_LOADED
    return _KINDS.get(operation.unit, Kind.LATE)


def _cycles(operation: Operation) -> int:
    access = operation.access
    if operation.unit is FunctionalUnit.BRANCH and access is not None:
        return _TABLE_BRANCH_CYCLES
    if access is not None:  # JNK: ceil(n/2)
        return (access.words + 1) // 2
    if operation.double and operation.unit in _DOUBLE_CYCLES:
        return _DOUBLE_CYCLES[operation.unit]
    return _CYCLES.get(operation.unit, 1)
