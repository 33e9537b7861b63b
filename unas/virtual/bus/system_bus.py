# SPDX-License-Identifier: Apache-2.0
"""Between Unicorn, the peripherals and other bus masters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import unicorn
from unicorn import arm_const as arm

from unas.errors import EmulatorError
from unas.virtual.bus.memory import Memory
from unas.virtual.bus.registers import PERIPHERAL_SPACE, Bus, is_peripheral

_IT_STATE = 0x0600FC00  # CPSR and xPSR


class SystemBus:
    """Hands the core's accesses to peripherals on, and lets a DMA at both memory and peripherals.

    Args:
        engine: Unicorn.
        memory: Its memory.
        bus: The peripherals.
        fail: Takes an error: Unicorn would drop an exception that leaves a callback.
    """

    def __init__(self, engine: Any, memory: Memory, bus: Bus, fail: Callable[[str], None]) -> None:
        self._engine = engine
        self._memory = memory
        self._bus = bus
        self._fail = fail
        for base, size in PERIPHERAL_SPACE:
            engine.mmio_map(base, size, self._read, base, self._write, base)

    def read(self, address: int, size: int) -> int:
        """What a bus master other than the core reads there: 1, 2 or 4 bytes.

        Raises:
            EmulatorError: There is nothing.
        """
        if is_peripheral(address):
            return self._bus.read(address, size)
        try:
            return int.from_bytes(self._engine.mem_read(address, size), "little")
        except unicorn.UcError as error:
            raise EmulatorError(
                f"DMA reads 0x{address:08X}, where no memory is; correct it"
            ) from error

    def write(self, address: int, size: int, value: int) -> None:
        """Let a bus master other than the core write there.

        Raises:
            EmulatorError: There is nothing.
        """
        if is_peripheral(address):
            self._bus.write(address, size, value)
        elif self._memory.is_ram(address, size):
            self._engine.mem_write(address, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))
        else:
            raise EmulatorError(f"DMA writes to 0x{address:08X}, where no RAM is; correct it")

    def _read(self, engine: Any, offset: int, size: int, base: int) -> int:
        forget_it_state(engine)
        try:
            return self._bus.read(base + offset, size)
        except EmulatorError as error:
            self._fail(str(error))
            return 0

    def _write(self, engine: Any, offset: int, size: int, value: int, base: int) -> None:
        forget_it_state(engine)
        try:
            self._bus.write(base + offset, size, value)
        except EmulatorError as error:
            self._fail(str(error))


def forget_it_state(engine: Any) -> None:
    """Undo what Unicorn 2.1.4 leaves behind when it calls a hook from within an IT block.

    It restores the IT state for the hook and clears it no more: the next block that is looked up
    would be translated as if it began inside that IT block, and skip instructions. The block that
    runs has its conditions compiled in, and an exit that needs the state restores it again.
    """
    status = engine.reg_read(arm.UC_ARM_REG_CPSR)
    if status & _IT_STATE:
        # Not through XPSR, of which Unicorn writes only the flags.
        engine.reg_write(arm.UC_ARM_REG_CPSR, status & ~_IT_STATE)
