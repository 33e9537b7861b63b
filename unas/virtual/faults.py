# SPDX-License-Identifier: Apache-2.0
"""How the core resets and takes a fault; ARMv7-M ARM B1.5.5 to B1.5.15."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from unicorn import arm_const as arm

from unas.errors import EmulatorError
from unas.virtual.core import SystemControl
from unas.virtual.memory import Memory

_FRAME_BYTES = 32
_THREAD_MSP = 0xFFFFFFF9  # EXC_RETURN: thread mode, main stack, basic frame
_FORCED = 1 << 30
_THUMB = 1 << 24
_STACKED_PADDING = 1 << 9  # xPSR bit that tells of a word left out to align the frame
_HARD_FAULT = 3
_CLEARED_BY_RESET = (
    *(arm.UC_ARM_REG_R0 + number for number in range(13)),
    arm.UC_ARM_REG_CONTROL,
    arm.UC_ARM_REG_PRIMASK,
    arm.UC_ARM_REG_FAULTMASK,
    arm.UC_ARM_REG_BASEPRI,
    arm.UC_ARM_REG_FPSCR,
)
_FRAME = (
    arm.UC_ARM_REG_R0,
    arm.UC_ARM_REG_R1,
    arm.UC_ARM_REG_R2,
    arm.UC_ARM_REG_R3,
    arm.UC_ARM_REG_R12,
    arm.UC_ARM_REG_LR,
)


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A cause of a fault.

    Attributes:
        exception: Its own exception number, taken if SHCSR enables it, else it becomes a HardFault.
        enable: Its bit in SHCSR.
        status: What it sets in CFSR.
        address_register: What holds the address, or None.
    """

    exception: int
    enable: int
    status: int
    address_register: str | None = None


_MEMORY, _BUS, _USAGE = (4, 1 << 16), (5, 1 << 17), (6, 1 << 18)
DATA_BUS_ERROR = FaultKind(*_BUS, 1 << 15 | 1 << 9, "BFAR")  # BFARVALID, PRECISERR
FETCH_BUS_ERROR = FaultKind(*_BUS, 1 << 8)  # IBUSERR
EXECUTE_NEVER = FaultKind(*_MEMORY, 1 << 0)  # IACCVIOL
UNDEFINED_INSTRUCTION = FaultKind(*_USAGE, 1 << 16)  # UNDEFINSTR
INVALID_STATE = FaultKind(*_USAGE, 1 << 17)  # INVSTATE


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that happened.

    Attributes:
        kind: What sort.
        what: In words, for people.
        pc: Address of the instruction.
        address: The address that was accessed, if that was the trouble.
    """

    kind: FaultKind
    what: str
    pc: int
    address: int = 0


class ExceptionEntry:
    """Resets and takes faults the way the core does, with the basic frame on the main stack."""

    def __init__(self, engine: Any, memory: Memory, control: SystemControl) -> None:
        self._engine = engine
        self._memory = memory
        self._control = control

    def take(self, fault: Fault) -> int:
        """Enter the handler.

        Returns:
            Address of the handler's first instruction.

        Raises:
            EmulatorError: Lockup: a fault within a handler, or one that cannot be stacked.
        """
        active = self._engine.reg_read(arm.UC_ARM_REG_IPSR)
        if active:
            raise EmulatorError(
                f"lockup: {fault.what} within the handler of exception {active}; correct it"
            )
        self._report(fault)
        self._push(fault)
        number = self._exception(fault)
        table = self._control.value("VTOR")
        handler = self._memory.read_word(table + 4 * number)
        if handler is None or not handler & 1:
            raise EmulatorError(
                f"lockup: {fault.what}, and vector {number} of the table at 0x{table:08X} holds "
                "no handler; set VTOR and the vector table"
            )
        self._engine.reg_write(arm.UC_ARM_REG_XPSR, _THUMB | number)
        self._engine.reg_write(arm.UC_ARM_REG_LR, _THREAD_MSP)
        return handler & ~1

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
        for register in _CLEARED_BY_RESET:
            self._engine.reg_write(register, 0)
        self._engine.reg_write(arm.UC_ARM_REG_XPSR, _THUMB)
        self._engine.reg_write(arm.UC_ARM_REG_SP, stack & ~3)
        self._engine.reg_write(arm.UC_ARM_REG_LR, 0xFFFFFFFF)
        return start & ~1

    def _report(self, fault: Fault) -> None:
        self._control.set("CFSR", fault.kind.status)
        if fault.kind.address_register is not None:
            self._control.put(fault.kind.address_register, fault.address)

    def _exception(self, fault: Fault) -> int:
        masked = self._engine.reg_read(arm.UC_ARM_REG_PRIMASK) & 1
        if self._control.value("SHCSR") & fault.kind.enable and not masked:
            return fault.kind.exception
        self._control.set("HFSR", _FORCED)
        return _HARD_FAULT

    def _push(self, fault: Fault) -> None:
        stack = self._engine.reg_read(arm.UC_ARM_REG_SP)
        frame = (stack - _FRAME_BYTES) & ~7
        if not self._memory.is_ram(frame, _FRAME_BYTES):
            raise EmulatorError(
                f"lockup: {fault.what}, and the stack pointer 0x{stack:08X} is outside RAM; "
                "look for a stack overflow"
            )
        status = self._engine.reg_read(arm.UC_ARM_REG_XPSR)
        if stack & 4:
            status |= _STACKED_PADDING
        words = [self._engine.reg_read(register) for register in _FRAME]
        self._engine.mem_write(frame, struct.pack("<8I", *words, fault.pc, status))
        self._engine.reg_write(arm.UC_ARM_REG_SP, frame)
