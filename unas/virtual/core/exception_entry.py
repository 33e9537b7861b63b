# SPDX-License-Identifier: Apache-2.0
"""How the core resets, takes exceptions and returns from them; ARMv7-M ARM B1.5.5 to B1.5.12."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unicorn import arm_const as arm

from unas.errors import EmulatorError
from unas.virtual.bus.memory import Memory
from unas.virtual.core.exceptions import HARD_FAULT, NMI, SVCALL, Exceptions, Masks
from unas.virtual.core.faults import Fault
from unas.virtual.core.frames import THUMB, Frames
from unas.virtual.core.system_control import SystemControl

# Cortex-M4 TRM 3.9.1 and Cortex-M4 product page: 12 cycles to enter, 6 from one handler to the
# next, with memory that does not wait. Not documented for the M7, where 11 to 12 are reported:
# taken as the same. Return: as entry without the vector fetch, 10; Yiu, Definitive Guide, 8.2.
_ENTRY_CYCLES, _CHAIN_CYCLES, _RETURN_CYCLES = 12, 6, 10
_FP_CYCLES = 17  # that many words more, where stacking is not lazy
_FORCED = 1 << 30  # HFSR
_CLEARED_BY_RESET = (
    *(arm.UC_ARM_REG_R0 + number for number in range(13)),
    arm.UC_ARM_REG_CONTROL,
    arm.UC_ARM_REG_PRIMASK,
    arm.UC_ARM_REG_FAULTMASK,
    arm.UC_ARM_REG_BASEPRI,
    arm.UC_ARM_REG_FPSCR,
)


class ExceptionEntry:
    """The core's way in and out of handlers.

    Args:
        engine: Unicorn.
        memory: For stack and vectors.
        control: VTOR, CCR, the fault registers.
        exceptions: Which are pending, active and enabled.
        spend: Lets core cycles pass, and what is due by then happen.
    """

    def __init__(
        self,
        engine: Any,
        memory: Memory,
        control: SystemControl,
        exceptions: Exceptions,
        spend: Callable[[int], None],
    ) -> None:
        self._engine = engine
        self._memory = memory
        self._control = control
        self._exceptions = exceptions
        self._spend = spend
        self._frames = Frames(engine, memory, control)

    def masks(self) -> Masks:
        """The core's mask registers now."""
        return Masks(
            bool(self._engine.reg_read(arm.UC_ARM_REG_PRIMASK) & 1),
            bool(self._engine.reg_read(arm.UC_ARM_REG_FAULTMASK) & 1),
            self._engine.reg_read(arm.UC_ARM_REG_BASEPRI) & 0xFF,
        )

    def take_ready(self, pc: int) -> int | None:
        """Enter the handler of what is ready to be taken.

        Args:
            pc: Where execution goes on afterwards.

        Returns:
            Address of the handler's first instruction, or None: nothing is ready.

        Raises:
            EmulatorError: Lock-up.
        """
        number = self._exceptions.next(self.masks())
        return None if number is None else self._enter(number, pc, f"exception {number}")

    def supervisor_call(self, pc: int) -> int:
        """Take an SVC instruction; ``pc`` is behind it."""
        number = self._exceptions.escalate(SVCALL, self.masks())
        if number is None:
            raise EmulatorError("lockup: SVC where not even a HardFault can be taken; correct it")
        if number == HARD_FAULT:
            self._control.set("HFSR", _FORCED)
        return self._synchronous(number, pc, "SVC")

    def fault(self, fault: Fault) -> int:
        """Enter the handler of a fault.

        Returns:
            Address of the handler's first instruction.

        Raises:
            EmulatorError: Lock-up: a fault within HardFault or NMI, or one that cannot be stacked.
        """
        number = self._exceptions.escalate(fault.kind.exception, self.masks())
        if number is None:
            active = self._engine.reg_read(arm.UC_ARM_REG_IPSR)
            where = f"the handler of exception {active}" if active else "code with FAULTMASK set"
            raise EmulatorError(f"lockup: {fault.what} within {where}; correct it")
        self._control.set("CFSR", fault.kind.status)
        if fault.kind.address_register is not None:
            self._control.put(fault.kind.address_register, fault.address)
        if number == HARD_FAULT:
            self._control.set("HFSR", _FORCED)
        return self._synchronous(number, fault.pc, fault.what)

    def leave(self, exc_return: int) -> int:
        """Return from a handler, or go over to the next one.

        Returns:
            Address of the next instruction.

        Raises:
            EmulatorError: The return is invalid.
        """
        self._frames.returns_to_thread(exc_return)
        number = self._engine.reg_read(arm.UC_ARM_REG_IPSR)
        if number != NMI:
            self._engine.reg_write(arm.UC_ARM_REG_FAULTMASK, 0)
        self._exceptions.leave(number)
        if self._exceptions.next(self.masks()) is None:
            self._spend(_RETURN_CYCLES)
            return self._frames.pop(exc_return)
        self._frames.chain()
        self._spend(_CHAIN_CYCLES)
        following = self._exceptions.next(self.masks())
        assert following is not None, "pending exceptions do not go away by themselves"
        return self._activate(following, exc_return, f"exception {following}")

    def sleeps_on_exit(self, exc_return: int) -> bool:
        """Whether that return ends in sleep: SCR.SLEEPONEXIT, back in thread mode."""
        to_thread = self._frames.returns_to_thread(exc_return) and not self._frames.in_handler
        return to_thread and bool(self._control.value("SCR") & 1 << 1)

    def reset(self, vectors: int) -> int:
        """Bring the core to its reset state.

        Args:
            vectors: Address of the vector table: stack pointer, first instruction.

        Returns:
            Address of the first instruction.

        Raises:
            EmulatorError: There is no vector table.
        """
        stack = self._memory.read_word(vectors)
        start = self._memory.read_word(vectors + 4)
        if stack is None or start is None or self._memory.kind(start) is None:
            raise EmulatorError(
                f"no vector table at 0x{vectors:08X}; "
                "link the firmware for this board, with its vectors first in flash"
            )
        self._engine.reg_write(arm.UC_ARM_REG_XPSR_NZCVQG, THUMB | HARD_FAULT)  # privileged
        for register in _CLEARED_BY_RESET:
            self._engine.reg_write(register, 0)
        self._engine.reg_write(arm.UC_ARM_REG_XPSR_NZCVQG, THUMB)
        self._engine.reg_write(arm.UC_ARM_REG_SP, stack & ~3)
        self._engine.reg_write(arm.UC_ARM_REG_LR, 0xFFFFFFFF)
        return start & ~1

    def _synchronous(self, number: int, pc: int, why: str) -> int:
        self._exceptions.pend(1 << number)
        return self._enter(number, pc, why)

    def _enter(self, number: int, pc: int, why: str) -> int:
        exc_return, with_fp = self._frames.push(pc, why)
        self._spend(_ENTRY_CYCLES + with_fp * _FP_CYCLES)
        # Late arrival: what has become ready during the stacking is taken first, if more urgent.
        latest = self._exceptions.next(self.masks())
        return self._activate(number if latest is None else latest, exc_return, why)

    def _activate(self, number: int, exc_return: int, why: str) -> int:
        self._exceptions.enter(number)
        self._frames.enter_handler(number, exc_return)
        table = self._control.value("VTOR")
        handler = self._memory.read_word(table + 4 * number)
        if handler is None or not handler & 1:
            raise EmulatorError(
                f"lockup: {why}, and vector {number} of the table at 0x{table:08X} holds "
                "no handler; set VTOR and the vector table"
            )
        return handler & ~1
