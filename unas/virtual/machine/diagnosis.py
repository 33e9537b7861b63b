# SPDX-License-Identifier: Apache-2.0
"""Why Unicorn stopped: which fault of the core that is, or what is not modelled."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import unicorn
from unicorn import arm_const as arm

from unas.virtual.bus.memory import Memory
from unas.virtual.bus.registers import PERIPHERAL_SPACE
from unas.virtual.bus.system_bus import forget_it_state
from unas.virtual.core import faults
from unas.virtual.core.faults import End

_THUMB = 1 << 24
_NOT_EXECUTABLE = ((0x40000000, 0x60000000), (0xA0000000, 1 << 32))  # ARMv7-M ARM B3.1: XN
_FETCHES = (unicorn.UC_MEM_FETCH_UNMAPPED, unicorn.UC_MEM_FETCH_PROT)
_DATA = unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE
_READS = (unicorn.UC_MEM_READ_UNMAPPED, unicorn.UC_MEM_READ_PROT)
# Unicorn's interrupt numbers are QEMU's EXCP_*.
_INVALID_STATE = 18


_INTERRUPTS = {2: End.CALL, 7: End.BREAKPOINT, 8: End.RETURN, 16: End.BREAKPOINT}
_HINTS = {1: End.YIELD, 2: End.WAIT_FOR_EVENT, 3: End.WAIT_FOR_INTERRUPT}


def _execute_never(address: int) -> bool:
    return any(low <= address < high for low, high in _NOT_EXECUTABLE)


class Diagnosis:
    """Listens to Unicorn's hooks while it runs, and tells afterwards what has happened.

    Unicorn takes a slow way for each store to a page that has memory hooks or may hold code: four
    times slower, all in all. So RAM has no hooks (nothing there can fault), and none of its pages
    may hold code before the core fetches from it.

    Args:
        engine: Unicorn.
        memory: The board's.
        pause: Makes Unicorn stop at the end of the block.
        tell: Takes, for the first of them, that stores to flash are lost, as on an STM32 whose
            flash interface only notes them (RM0432 3.7.5, PGSERR); None: they are faults.
    """

    def __init__(
        self,
        engine: Any,
        memory: Memory,
        pause: Callable[[], None],
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._engine = engine
        self._memory = memory
        self._pause = pause
        self._tell = tell
        self._reported = False
        self._lost: list[tuple[int, bytes]] = []  # what such stores overwrote
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

    def end(self, *, failed: bool, pc: int) -> End | faults.Fault:
        """Why the run ended.

        Args:
            failed: Unicorn reported an error.
            pc: Where it stopped.
        """
        while self._lost:
            self._memory.write(*self._lost.pop())
        if self._interrupt in _INTERRUPTS:
            return _INTERRUPTS[self._interrupt]
        hint = self._hint(pc)
        if not failed and self._interrupt is None:
            return hint if hint is End.WAIT_FOR_INTERRUPT else End.ASKED
        if failed and self._access is None and hint in (End.WAIT_FOR_EVENT, End.YIELD):
            return hint
        return self._fault(pc)

    def _hint(self, pc: int) -> End:
        """The hint instruction before ``pc``, of those that make Unicorn stop."""
        if self._memory.kind(pc - 4) is None:
            return End.ASKED
        first, second = struct.unpack("<2H", self._engine.mem_read(pc - 4, 4))
        number = None
        if first == 0xF3AF and second & 0xFF00 == 0x8000:
            number = second & 0xFF
        elif second & 0xFF0F == 0xBF00:
            number = second >> 4 & 0xF
        return End.ASKED if number is None else _HINTS.get(number, End.ASKED)

    def _fault(self, pc: int) -> faults.Fault:
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
        if access != unicorn.UC_MEM_FETCH:
            forget_it_state(self._engine)
        else:  # between two blocks, and there the state is right: an IT block may cross a page
            if any(start <= page < start + size for start, size in PERIPHERAL_SPACE):
                self._access = unicorn.UC_MEM_FETCH_PROT, page, 2
                return False
            self._code_pages.add(page)
        data_only = page not in self._code_pages and self._memory.kind(page) == "ram"
        entry.paddr = page
        entry.perms = _DATA if data_only else unicorn.UC_PROT_ALL
        return True

    def _note_access(self, _: Any, access: int, address: int, size: int, *_more: Any) -> bool:
        if self._tell is not None and access == unicorn.UC_MEM_WRITE_PROT:
            self._lose(self._tell, address, size)
            return True
        self._access = access, address, size
        return False

    def _lose(self, tell: Callable[[str], None], address: int, size: int) -> None:
        """Let Unicorn store, and take it back at the end of the block."""
        self._lost.append((address, bytes(self._engine.mem_read(address, size))))
        if not self._reported:
            self._reported = True
            kind = self._memory.kind(address)
            tell(f"writes to {kind} have no effect; the first: {size} bytes at 0x{address:08X}")
        forget_it_state(self._engine)
        self._pause()

    def _note_interrupt(self, engine: Any, number: int, _: object) -> None:
        self._interrupt = number
        engine.emu_stop()
