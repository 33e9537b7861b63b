# SPDX-License-Identifier: Apache-2.0
"""Cortex-M4: tables for native/core_m4.c.

Sources: TRM = Arm DDI 0439 r0p1, tables 3-1 and 7-1 and sections 3.3.2, 3.3.3; I0 =
compendium.i-0.nl, measured; JNK = jnk0le/random, "pipeline cycle test/doc/cortex_m3m4.md", measured
on an STM32F407; G474 = github.com/studyztp/gem5, measured on an STM32G474; INF = our conclusion.

What the rules in C know and take from no table: a load costs 2, and 1 right behind a load of the
same memory whose result is not its address (TRM; JNK: of the same memory only, and not a 32-bit
load at an odd halfword); a store 1, with a register offset 2 (TRM),
1 behind a load (TRM); a load behind a store with a constant offset 1 more, and so LDM (JNK); a NOP
behind a load or a store with register offset 0 (JNK); an address that the instruction before
computed 1 more (TRM); IT behind a 16-bit instruction 0 (TRM: may be folded); a result of floating
point used by the next instruction 1 more, but not as the addend of a MAC (TRM); SDIV and UDIV 2 if
an operand is 0, 3 if the quotient is 0, else 5 + the difference of the operands' bits / 4 (I0; two
points of it measured on the G474, too); an instruction that IT skips 1 (INF).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from unas.board import Board
from unas.virtual.timing import layout
from unas.virtual.timing.core_model import OperationFacts
from unas.virtual.timing.operations import Branch, FunctionalUnit, Operation


class M4Group(IntEnum):
    """What needs a rule of its own; the numbers are those of core.h."""

    PLAIN = 0
    NOP = 1
    IT = 2
    LOAD = 3
    STORE = 4
    DOUBLE = 5
    LOAD_MULTIPLE = 6
    STORE_MULTIPLE = 7
    DIVIDE = 8
    FP = 9


_GROUPS: dict[FunctionalUnit, M4Group] = {
    FunctionalUnit.NOP: M4Group.NOP,
    FunctionalUnit.IT: M4Group.IT,
    FunctionalUnit.LOAD: M4Group.LOAD,
    FunctionalUnit.STORE: M4Group.STORE,
    FunctionalUnit.DOUBLE: M4Group.DOUBLE,
    FunctionalUnit.FP_LOAD: M4Group.DOUBLE,
    FunctionalUnit.FP_STORE: M4Group.DOUBLE,
    FunctionalUnit.DIVIDE: M4Group.DIVIDE,
}
_CYCLES: dict[FunctionalUnit, int] = {  # the others: 1 (TRM table 3-1)
    FunctionalUnit.LOAD: 0,  # beyond what the rules say
    FunctionalUnit.STORE: 0,
    FunctionalUnit.DIVIDE: 0,
    FunctionalUnit.SYSTEM: 2,  # TRM: MRS, MSR, CPS 1 or 2; barriers 1 and what they wait for
    FunctionalUnit.FP_FUSED: 3,  # TRM table 7-1
    FunctionalUnit.FP_CHAINED: 3,  # TRM
    FunctionalUnit.FP_DIVIDE: 14,  # TRM; integer instructions behind it go on
    FunctionalUnit.FP_ROOT: 14,  # TRM
    FunctionalUnit.FP_MOVE_TWO: 2,  # TRM
    FunctionalUnit.FP_FROM_CORE: 1,  # I0; TRM's table has 2
    FunctionalUnit.FP_TO_CORE: 1,  # I0; TRM's table has 2
}
_LOAD_PC_CYCLES = 1  # TRM 3.3.3: LDR PC takes 5 at least: 2 + 1 + REFILL_INDIRECT
_TABLE_BRANCH_CYCLES = 4  # TRM 3.3.3: TBB, TBH take 6 at least: 4 + REFILL_INDIRECT
_REFILL = 1  # I0, G474: a taken branch costs 2; TRM: 1 to 3 more
_REFILL_INDIRECT = 2  # INF: BX 3, POP {PC} 1 + N + 2
_REFILL_WIDE = 1  # I0: the target is a 32-bit instruction at an odd halfword
_FP_ITERATIVE = (FunctionalUnit.FP_DIVIDE, FunctionalUnit.FP_ROOT)


@dataclass(frozen=True, slots=True)
class M4Switches:
    """Where the sources differ.

    Attributes:
        store_fills_load: JNK: a store with a constant offset right behind a load takes the cycle
            that the load leaves. TRM, the default: LDR, STR take 3.
        same_base_breaks: JNK, on the STM32F407: loads that write the same base back to back are not
            pipelined. Off, the default: MLPerf Tiny's published results of an STM32L4R5 say that
            they are (X-CUBE-AI's kernels are full of them: 5 to 8 % too slow with it, within 1 %
            without; benchmarks/published_latency.py).
        wide_group: I0: so many 32-bit instructions at odd halfwords in a row cost one more.
        wide_store_group: I0: of stores so many.
    """

    store_fills_load: bool = False
    same_base_breaks: bool = False
    wide_group: int = 3
    wide_store_group: int = 4


class CortexM4:
    """See ``core_model.CoreModel``."""

    def __init__(self, switches: M4Switches | None = None) -> None:
        self._switches = switches or M4Switches()

    def table(self, board: Board) -> layout.Table:
        """See ``CoreModel.table``; the board says where one memory ends and another begins."""
        table = layout.Table(core=layout.CORE_M4)
        table.refill, table.refill_indirect, table.refill_wide = (
            _REFILL,
            _REFILL_INDIRECT,
            _REFILL_WIDE,
        )
        table.load_unaligned_half = 1  # TRM: a word at a halfword, a halfword at a byte
        table.load_unaligned_byte = 2  # TRM: a word at an odd byte
        table.wide_group = self._switches.wide_group
        table.wide_store_group = self._switches.wide_store_group
        table.store_fills_load = self._switches.store_fills_load
        table.same_base_breaks = self._switches.same_base_breaks
        starts = sorted(region.start for region in board.memory)[: layout.BLOCKS]
        table.block_count = len(starts)
        for i, start in enumerate(starts):
            table.block_starts[i] = start
        return table

    def place(self, operation: Operation, narrow: int) -> OperationFacts:
        """See ``CoreModel.place``."""
        unit, access = operation.unit, operation.access
        if access is not None and unit in (
            FunctionalUnit.MULTIPLE,
            FunctionalUnit.DOUBLE,
            FunctionalUnit.FP_LOAD,
            FunctionalUnit.FP_STORE,
        ):
            group = _GROUPS.get(unit, M4Group.DOUBLE)
            if unit is FunctionalUnit.MULTIPLE:
                group = M4Group.LOAD_MULTIPLE if access.load else M4Group.STORE_MULTIPLE
            return OperationFacts(group, 1 + access.words)  # TRM: 1 + N
        if operation.branch is Branch.TABLE:
            return OperationFacts(M4Group.PLAIN, _TABLE_BRANCH_CYCLES)
        if unit is FunctionalUnit.LOAD and operation.branch is Branch.INDIRECT:
            return OperationFacts(M4Group.LOAD, _LOAD_PC_CYCLES)
        if unit.name.startswith("FP_"):
            attributes = layout.FP | (layout.FP_ITERATIVE if unit in _FP_ITERATIVE else 0)
            return OperationFacts(M4Group.FP, _CYCLES.get(unit, 1), attributes)
        return OperationFacts(_GROUPS.get(unit, M4Group.PLAIN), _CYCLES.get(unit, 1))
