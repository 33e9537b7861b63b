# SPDX-License-Identifier: Apache-2.0
"""The MPS2 FPGA images AN386 and AN500, as far as QEMU's machines of that name have them.

They are there for one purpose: the same ELF runs here and in QEMU, and both must count the same.
Registers: Cortex-M System Design Kit TRM, DDI 0479, chapters 4.2 (timer) and 4.3 (UART).
"""

from __future__ import annotations

from collections import deque

from unicorn.arm_const import UC_CPU_ARM_CORTEX_M4, UC_CPU_ARM_CORTEX_M7

from unas.board import Board
from unas.virtual.bus.link import ByteLink
from unas.virtual.bus.registers import WORD, Peripheral, Register
from unas.virtual.bus.schedule import IdleLoopDetector
from unas.virtual.core.chip import Chip, Services
from unas.virtual.core.debug import Dwt, Itm
from unas.virtual.core.system_control import SystemControl

_NS_PER_INSTRUCTION = 64  # QEMU's -icount shift=6
_NS_PER_TICK = 40  # 25 MHz
_ENABLE = 1
_TX_ENABLE, _RX_ENABLE = 1 << 0, 1 << 1
_RX_FULL = 1 << 1
_SCC_IDS = {"an386": 0x41043860, "an500": 0x41045000}  # QEMU 7.2 hw/arm/mps2.c
_MODELS = {"cortex-m4": UC_CPU_ARM_CORTEX_M4, "cortex-m7": UC_CPU_ARM_CORTEX_M7}


class Mps2Timer(Peripheral):
    """A CMSDK timer that counts down; its time is that of QEMU: 64 ns an instruction."""

    def __init__(self, base: int, services: Services) -> None:
        self._services = services
        self._start = 0
        table = (
            Register(0x00, "CTRL", 0, 0xF, write=self._control),
            Register(0x04, "VALUE", read=self._count),
            Register(0x08, "RELOAD"),
            Register(0x0C, "INTSTATUS", 0, 0),
        )
        super().__init__("TIMER0", base, 0x1000, table)

    def _control(self, old: int, new: int) -> int:
        if new & ~old & _ENABLE:
            self._start = self._services.instructions
        return new

    def _count(self, stored: int) -> int:
        if not self.value("CTRL") & _ENABLE:
            return stored
        elapsed = (self._services.instructions - self._start) * _NS_PER_INSTRUCTION // _NS_PER_TICK
        return (stored - elapsed) & WORD


class Mps2Uart(Peripheral):
    """A CMSDK UART on a byte link."""

    def __init__(self, base: int, link: ByteLink, services: Services) -> None:
        self._link, self._services = link, services
        self._listening = IdleLoopDetector(services)
        self._received: deque[int] = deque()
        table = (
            Register(0x00, "DATA", read=self._take, write=self._send),
            Register(0x04, "STATE", 0, 0xC, self._status),
            Register(0x08, "CTRL", 0, 0x7F),
            Register(0x0C, "INTSTATUS", 0, 0),
            Register(0x10, "BAUDDIV", 0, 0xFFFFF),
        )
        super().__init__("UART0", base, 0x1000, table)

    def _send(self, old: int, new: int) -> int:
        if self.value("CTRL") & _TX_ENABLE:
            self._link.send(new & 0xFF)
        return 0

    def _take(self, stored: int) -> int:
        return self._received.popleft() if self._received else 0

    def _status(self, stored: int) -> int:
        if not self._received and self.value("CTRL") & _RX_ENABLE:
            self._listen()
        return _RX_FULL if self._received else 0

    def _listen(self) -> None:
        self._listening.note()
        looping = self._listening.looping
        if not looping and not self._listening.first:
            return
        self._link.flush()
        data = self._link.receive(wait=looping)
        if data:
            self._received.extend(data)
            self._listening.end()
        elif looping:
            self._services.stop_idle()


def build_mps2(board: Board, services: Services, link: ByteLink, instance: int) -> Chip:
    """See ``chip.ChipFactory``."""
    control = SystemControl(
        board.cpu,
        0,
        double_precision=False,
        services=services,
    )
    identity = Register(0xFFC, "ID", _SCC_IDS.get(board.id, 0), 0)
    peripherals = (
        Mps2Timer(0x40000000, services),
        Mps2Uart(0x40004000, link, services),
        Peripheral("SCC", 0x4002F000, 0x1000, (identity,)),
        control,
        Dwt(lambda: control.trace_enabled, lambda: services.cycles),
        Itm(services.mark_stage),
    )
    return Chip(_MODELS[board.core], control, peripherals, (), 0, lambda: None)
