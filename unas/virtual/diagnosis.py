# SPDX-License-Identifier: Apache-2.0
"""Why Unicorn stopped: which fault of the core that is, or what is not modelled."""

from __future__ import annotations

from typing import Any

import unicorn
from unicorn import arm_const as arm

from unas.errors import EmulatorError
from unas.virtual import faults
from unas.virtual.memory import Memory
from unas.virtual.registers import PERIPHERAL_SPACE

_THUMB = 1 << 24
_NOT_EXECUTABLE = ((0x40000000, 0x60000000), (0xA0000000, 1 << 32))  # ARMv7-M ARM B3.1: XN
_FETCHES = (unicorn.UC_MEM_FETCH_UNMAPPED, unicorn.UC_MEM_FETCH_PROT)
_DATA = unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE
_READS = (unicorn.UC_MEM_READ_UNMAPPED, unicorn.UC_MEM_READ_PROT)
# Unicorn's interrupt numbers are QEMU's EXCP_*.
_INVALID_STATE = 18
_NOT_MODELLED = {
    2: "SVC: exceptions other than faults are not modelled; poll instead",
    7: "BKPT without a debugger; remove it",
    8: "return from a fault handler: it is not modelled; let the handler reset the board",
}


def _execute_never(address: int) -> bool:
    return any(low <= address < high for low, high in _NOT_EXECUTABLE)


class Diagnosis:
    """Listens to Unicorn's hooks while it runs, and tells afterwards what has happened.

    Unicorn takes a slow way for each store to a page that has memory hooks or may hold code: four
    times slower, all in all. So RAM has no hooks (nothing there can fault), and none of its pages
    may hold code before the core fetches from it.
    """

    def __init__(self, engine: Any, memory: Memory) -> None:
        self._engine = engine
        self._memory = memory
        self._access: tuple[int, int, int] | None = None  # kind, address, size
        self._interrupt: int | None = None
        self._code_pages: set[int] = set()
        for first, last in memory.outside_ram():
            engine.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._note_access, begin=first, end=last)
        engine.hook_add(unicorn.UC_HOOK_INTR, self._note_interrupt)
        engine.ctl_set_tlb_mode(unicorn.UC_TLB_VIRTUAL)
        engine.hook_add(unicorn.UC_HOOK_TLB_FILL, self._fill)

    def begin(self) -> None:
        """Forget what was."""
        self._access = self._interrupt = None

    def fault(self, *, failed: bool, pc: int) -> faults.Fault | None:
        """The fault that ended the run, or None if it was none.

        Args:
            failed: Unicorn reported an error.
            pc: Where it stopped.

        Raises:
            EmulatorError: The firmware used what is not modelled.
        """
        if self._interrupt in _NOT_MODELLED:
            raise EmulatorError(_NOT_MODELLED[self._interrupt])
        if not failed and self._interrupt is None:
            return None
        thumb = self._engine.reg_read(arm.UC_ARM_REG_XPSR) & _THUMB
        if self._interrupt == _INVALID_STATE or not thumb:
            return faults.Fault(faults.INVALID_STATE, "branch to an even address", pc)
        if self._access is None:
            return faults.Fault(faults.UNDEFINED_INSTRUCTION, "undefined instruction", pc)
        return self._memory_fault(pc)

    def _memory_fault(self, pc: int) -> faults.Fault:
        assert self._access is not None
        access, address, size = self._access
        if access in _FETCHES:
            kind = faults.EXECUTE_NEVER if _execute_never(pc) else faults.FETCH_BUS_ERROR
            return faults.Fault(kind, "instruction fetch where there is no code memory", pc)
        verb = "read" if access in _READS else "write"
        region = self._memory.kind(address)
        where = "outside the board's memory" if region is None else f"to {region}"
        what = f"{verb} of {size} bytes at 0x{address:08X}, {where}"
        return faults.Fault(faults.DATA_BUS_ERROR, what, pc, address)

    def _fill(self, _: Any, page: int, access: int, entry: Any, _data: object) -> bool:
        """Answer a look-up in the page tables: an address is itself."""
        if access == unicorn.UC_MEM_FETCH:
            if any(start <= page < start + size for start, size in PERIPHERAL_SPACE):
                self._access = unicorn.UC_MEM_FETCH_PROT, page, 2
                return False
            self._code_pages.add(page)
        data_only = page not in self._code_pages and self._memory.kind(page) == "ram"
        entry.paddr = page
        entry.perms = _DATA if data_only else unicorn.UC_PROT_ALL
        return True

    def _note_access(self, _: Any, access: int, address: int, size: int, *_more: Any) -> bool:
        self._access = access, address, size
        return False

    def _note_interrupt(self, engine: Any, number: int, _: object) -> None:
        self._interrupt = number
        engine.emu_stop()
