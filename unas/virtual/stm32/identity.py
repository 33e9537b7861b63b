# SPDX-License-Identifier: Apache-2.0
"""What tells one chip from another: unique id and flash size in system memory, DBGMCU_IDCODE."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from unas.virtual.bus.memory import FixedBytes
from unas.virtual.bus.registers import Peripheral, Register

_UID_TEXT = b"unasVBRD"  # where ST writes the lot number


def unique_id(instance: int) -> bytes:
    """The 12 bytes of the unique id of the virtual board with that number."""
    return struct.pack("<I", instance) + _UID_TEXT


@dataclass(frozen=True, slots=True)
class IdentityPlaces:
    """Where a family keeps its identity.

    Attributes:
        unique_id: Address of the 12 bytes.
        flash_size: Address of the halfword with the flash's size in KiB.
        revision: DBGMCU_IDCODE bits 31:16.
        freeze: Registers behind DBGMCU_CR that stop timers and watchdogs with the core.
    """

    unique_id: int
    flash_size: int
    revision: int
    freeze: tuple[str, ...]


def system_memory(
    places: IdentityPlaces, instance: int, flash_bytes: int
) -> tuple[FixedBytes, ...]:
    """What the factory wrote: unique id and flash size in KiB."""
    return (
        FixedBytes(places.unique_id, unique_id(instance)),
        FixedBytes(places.flash_size, struct.pack("<H", flash_bytes // 1024)),
    )


def debug_mcu(places: IdentityPlaces, device_id: int) -> Peripheral:
    """DBGMCU; its freeze bits have no effect here: nothing runs on while the core is halted."""
    freeze = (Register(0x08 + 4 * i, name) for i, name in enumerate(places.freeze))
    identity = Register(0x00, "IDCODE", places.revision << 16 | device_id, 0)
    return Peripheral("DBGMCU", 0xE0042000, 0x400, (identity, Register(0x04, "CR"), *freeze))
