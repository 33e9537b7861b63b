# SPDX-License-Identifier: Apache-2.0
"""What tells one chip from another: unique id and flash size in system memory, DBGMCU_IDCODE."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from unas.virtual.registers import Peripheral, Register

_UNIQUE_ID = 0x1FF0F420  # ST CMSIS header stm32f746xx.h: UID_BASE
_FLASH_SIZE = 0x1FF0F442  # FLASHSIZE_BASE
_REVISION_Z = 0x1001  # RM0385 40.6.1
_UID_TEXT = b"unasVBRD"  # where ST writes the lot number


@dataclass(frozen=True, slots=True)
class FixedBytes:
    """Bytes at an address of read-only memory."""

    address: int
    data: bytes


def unique_id(instance: int) -> bytes:
    """The 12 bytes of the unique id of the virtual board with that number."""
    return struct.pack("<I", instance) + _UID_TEXT


def system_memory(instance: int, flash_bytes: int) -> tuple[FixedBytes, ...]:
    """What the factory wrote: unique id and flash size in KiB."""
    return (
        FixedBytes(_UNIQUE_ID, unique_id(instance)),
        FixedBytes(_FLASH_SIZE, struct.pack("<H", flash_bytes // 1024)),
    )


def debug_mcu(device_id: int) -> Peripheral:
    """DBGMCU; its freeze bits stop timers and watchdogs, of which there are none here."""
    table = (
        Register(0x00, "IDCODE", _REVISION_Z << 16 | device_id, 0),
        Register(0x04, "CR"),
        Register(0x08, "APB1_FZ"),
        Register(0x0C, "APB2_FZ"),
    )
    return Peripheral("DBGMCU", 0xE0042000, 0x400, table)
