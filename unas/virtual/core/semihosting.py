# SPDX-License-Identifier: Apache-2.0
"""Semihosting: what BKPT 0xAB asks of a debugger; Arm semihosting specification 2.0."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import unicorn
from unicorn import arm_const as arm

from unas.errors import EmulatorError

_BREAKPOINT = 0xAB
_OPEN, _CLOSE, _WRITEC, _WRITE0, _WRITE = 0x01, 0x02, 0x03, 0x04, 0x05
_ISTTY, _ERRNO, _EXIT, _EXIT_EXTENDED = 0x09, 0x13, 0x18, 0x20
_APPLICATION_EXIT = 0x20026
_FAILED = 0xFFFFFFFF
_LONGEST = 4096  # of a string without an end


class Semihosting:
    """Output and exit; everything else fails politely.

    Args:
        engine: Unicorn.
        out: Takes what the firmware writes.

    Attributes:
        exit_code: What the firmware ended with; None while it goes on.
    """

    def __init__(self, engine: Any, out: Callable[[bytes], None]) -> None:
        self._engine = engine
        self._out = out
        self.exit_code: int | None = None

    def asked(self, pc: int) -> bool:
        """Whether the breakpoint there is a call."""
        return bool(self._engine.mem_read(pc, 1)[0] == _BREAKPOINT)

    def call(self) -> None:
        """Do what R0 and R1 say; R0 gets the result.

        Raises:
            EmulatorError: A pointer leads outside memory.
        """
        operation = self._engine.reg_read(arm.UC_ARM_REG_R0)
        argument = self._engine.reg_read(arm.UC_ARM_REG_R1)
        try:
            result = self._do(operation, argument)
        except unicorn.UcError as error:
            raise EmulatorError(f"semihosting: {error}; correct the pointer in R1") from error
        self._engine.reg_write(arm.UC_ARM_REG_R0, result)

    def _do(self, operation: int, argument: int) -> int:
        if operation == _WRITEC:
            self._out(self._bytes(argument, 1))
        elif operation == _WRITE0:
            self._out(self._text(argument))
        elif operation == _WRITE:
            _, data, length = self._words(argument, 3)
            self._out(self._bytes(data, length))
            return 0  # bytes not written
        elif operation == _EXIT:
            self.exit_code = int(argument != _APPLICATION_EXIT)
        elif operation == _EXIT_EXTENDED:
            reason, code = self._words(argument, 2)
            self.exit_code = code if reason == _APPLICATION_EXIT else 1
        elif operation == _OPEN:
            name, _, length = self._words(argument, 3)
            return 1 if self._bytes(name, length) == b":tt" else _FAILED
        elif operation == _ISTTY:
            return 1
        elif operation not in (_CLOSE, _ERRNO):
            return _FAILED
        return 0

    def _words(self, address: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", self._bytes(address, 4 * count))

    def _bytes(self, address: int, length: int) -> bytes:
        return bytes(self._engine.mem_read(address, length))

    def _text(self, address: int) -> bytes:
        text = bytearray()
        while len(text) < _LONGEST and (byte := self._bytes(address + len(text), 1)) != b"\0":
            text += byte
        return bytes(text)
