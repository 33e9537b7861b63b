# SPDX-License-Identifier: Apache-2.0
"""Exception frames on the stack; ARMv7-M ARM B1.5.6 to B1.5.8."""

from __future__ import annotations

import struct
from typing import Any

from unicorn import arm_const as arm

from unas.errors import EmulatorError
from unas.virtual.bus.memory import Memory
from unas.virtual.core.system_control import SystemControl

THUMB = 1 << 24
_ALIGNED = 1 << 9  # stacked xPSR: a word was left out to align the frame
_BASIC_BYTES, _EXTENDED_BYTES = 0x20, 0x68
_FP_OFFSET, _FP_WORDS = 0x20, 16
_NPRIV, _SPSEL, _FPCA = 1 << 0, 1 << 1, 1 << 2  # CONTROL
_STKALIGN = 1 << 9  # CCR
_ASPEN, _LSPEN, _LSPACT = 1 << 31, 1 << 30, 1 << 0  # FPCCR
_RETURN = 0xFFFFFFE1  # EXC_RETURN with bits 4 (basic frame), 3 (thread) and 2 (PSP) clear
_BASIC, _THREAD, _PROCESS = 1 << 4, 1 << 3, 1 << 2
_VALID_RETURNS = frozenset(
    _RETURN | basic | kind for basic in (0, _BASIC) for kind in (0, _THREAD, _THREAD | _PROCESS)
)
_REGISTERS = (*(arm.UC_ARM_REG_R0 + n for n in range(4)), arm.UC_ARM_REG_R12, arm.UC_ARM_REG_LR)


class Frames:
    """Pushes and pops frames, with the floating-point registers if the code used them.

    With lazy stacking the words of the floating-point registers are written on entry, not at the
    handler's first floating-point instruction: memory sees them earlier, no handler sees other
    values. FPCCR.LSPACT and FPCAR tell what the core would tell.
    """

    def __init__(self, engine: Any, memory: Memory, control: SystemControl) -> None:
        self._engine = engine
        self._memory = memory
        self._control = control
        control.float_in_use = self._uses_fp

    @property
    def in_handler(self) -> bool:
        """The core is in handler mode."""
        return bool(self._engine.reg_read(arm.UC_ARM_REG_IPSR))

    def push(self, address: int, why: str) -> tuple[int, bool]:
        """Stack the state.

        Args:
            address: Where execution goes on after the handler.
            why: What is being taken, for an error.

        Returns:
            EXC_RETURN; and whether the floating-point registers cost time.

        Raises:
            EmulatorError: The stack pointer is outside RAM: lock-up.
        """
        self._settle_lazy()
        used_fp = self._uses_fp()
        stack = self._engine.reg_read(arm.UC_ARM_REG_SP)
        size = _EXTENDED_BYTES if used_fp else _BASIC_BYTES
        align = used_fp or self._control.value("CCR") & _STKALIGN
        frame = (stack - size) & (~7 if align else ~3)
        if not self._memory.is_ram(frame, size):
            raise EmulatorError(
                f"lockup: {why}, and the stack pointer 0x{stack:08X} is outside RAM; "
                "look for a stack overflow"
            )
        status = self._engine.reg_read(arm.UC_ARM_REG_XPSR) & ~_ALIGNED
        if align and stack & 4:
            status |= _ALIGNED
        words = [self._engine.reg_read(register) for register in _REGISTERS]
        self._engine.mem_write(frame, struct.pack("<8I", *words, address, status))
        lazy = self._push_fp(frame) if used_fp else True
        self._engine.reg_write(arm.UC_ARM_REG_SP, frame)
        return self._return_code(used_fp), not lazy

    def enter_handler(self, number: int, exc_return: int) -> None:
        """Switch to handler mode and the main stack."""
        self._engine.reg_write(arm.UC_ARM_REG_IEPSR, THUMB | number)
        privilege = self._engine.reg_read(arm.UC_ARM_REG_CONTROL) & _NPRIV
        self._engine.reg_write(arm.UC_ARM_REG_CONTROL, privilege)
        self._engine.reg_write(arm.UC_ARM_REG_LR, exc_return)

    def chain(self) -> None:
        """One handler ends and another begins without a frame between them."""
        self._settle_lazy()
        self._write_control(_FPCA, 0)

    def returns_to_thread(self, exc_return: int) -> bool:
        """Whether it leads to thread mode.

        Raises:
            EmulatorError: It is no EXC_RETURN of this core.
        """
        if exc_return not in _VALID_RETURNS:
            raise EmulatorError(
                f"0x{exc_return:08X} is no valid EXC_RETURN; the handler must leave LR as it was"
            )
        return bool(exc_return & _THREAD)

    def pop(self, exc_return: int) -> int:
        """Go back to what the frame holds.

        Returns:
            Address of the next instruction.

        Raises:
            EmulatorError: The frame is outside RAM, or does not fit the EXC_RETURN.
        """
        self._settle_lazy()
        process, extended = bool(exc_return & _PROCESS), not exc_return & _BASIC
        pointer = arm.UC_ARM_REG_PSP if process else arm.UC_ARM_REG_MSP
        frame = self._engine.reg_read(pointer)
        size = _EXTENDED_BYTES if extended else _BASIC_BYTES
        if not self._memory.is_ram(frame, size):
            raise EmulatorError(
                f"return from an exception to a frame at 0x{frame:08X}, outside RAM; "
                "look for a stack overflow"
            )
        *words, address, status = struct.unpack("<8I", self._engine.mem_read(frame, _BASIC_BYTES))
        if bool(exc_return & _THREAD) == bool(status & 0x1FF):
            raise EmulatorError(
                f"EXC_RETURN 0x{exc_return:08X} and the stacked xPSR 0x{status:08X} disagree about "
                "the mode; look for a stack that is overwritten"
            )
        for register, value in zip(_REGISTERS, words, strict=True):
            self._engine.reg_write(register, value)
        if extended:
            self._pop_fp(frame)
        thread = bool(exc_return & _THREAD)
        self._write_control(_FPCA | _SPSEL, extended * _FPCA | (thread and process) * _SPSEL)
        self._engine.reg_write(pointer, frame + size | (status & _ALIGNED and 4))
        self._engine.reg_write(arm.UC_ARM_REG_XPSR_NZCVQG, status & ~_ALIGNED)
        return int(address) & ~1

    def _return_code(self, used_fp: bool) -> int:
        code = _RETURN | (0 if used_fp else _BASIC)
        if self.in_handler:
            return code
        process = self._engine.reg_read(arm.UC_ARM_REG_CONTROL) & _SPSEL
        return code | _THREAD | (_PROCESS if process else 0)

    def _write_control(self, mask: int, value: int) -> None:
        control = self._engine.reg_read(arm.UC_ARM_REG_CONTROL)
        self._engine.reg_write(arm.UC_ARM_REG_CONTROL, control & ~mask | value)

    def _uses_fp(self) -> bool:
        active = self._engine.reg_read(arm.UC_ARM_REG_CONTROL) & _FPCA
        return bool(active and self._control.value("FPCCR") & _ASPEN)

    def _settle_lazy(self) -> None:
        """A floating-point instruction of a handler has written the waiting registers."""
        if self._uses_fp():
            self._control.clear("FPCCR", _LSPACT)

    def _push_fp(self, frame: int) -> bool:
        values = [self._engine.reg_read(arm.UC_ARM_REG_S0 + n) for n in range(_FP_WORDS)]
        status = self._engine.reg_read(arm.UC_ARM_REG_FPSCR) & 0xFFFFFFFF
        self._engine.mem_write(frame + _FP_OFFSET, struct.pack("<17I", *values, status))
        lazy = bool(self._control.value("FPCCR") & _LSPEN)
        if lazy:
            self._control.set("FPCCR", _LSPACT)
            self._control.put("FPCAR", frame + _FP_OFFSET)
        return lazy

    def _pop_fp(self, frame: int) -> None:
        if self._control.value("FPCCR") & _LSPACT:  # never left the registers
            self._control.clear("FPCCR", _LSPACT)
            return
        data = self._engine.mem_read(frame + _FP_OFFSET, 4 * (_FP_WORDS + 1))
        *values, status = struct.unpack("<17I", data)
        for number, value in enumerate(values):
            self._engine.reg_write(arm.UC_ARM_REG_S0 + number, value)
        self._engine.reg_write(arm.UC_ARM_REG_FPSCR, status)
