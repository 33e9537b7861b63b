# SPDX-License-Identifier: Apache-2.0
"""What stops Unicorn: the core's faults as data (ARMv7-M ARM B1.5.14, B3.2.15), and the rest."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from unas.virtual.core.exceptions import BUS_FAULT, MEMORY_FAULT, USAGE_FAULT


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A cause of a fault.

    Attributes:
        exception: Its own exception number, taken if it is enabled, else it becomes a HardFault.
        status: What it sets in CFSR.
        address_register: What holds the address, or None.
    """

    exception: int
    status: int
    address_register: str | None = None


DATA_BUS_ERROR = FaultKind(BUS_FAULT, 1 << 15 | 1 << 9, "BFAR")  # BFARVALID, PRECISERR
FETCH_BUS_ERROR = FaultKind(BUS_FAULT, 1 << 8)  # IBUSERR
EXECUTE_NEVER = FaultKind(MEMORY_FAULT, 1 << 0)  # IACCVIOL
UNDEFINED_INSTRUCTION = FaultKind(USAGE_FAULT, 1 << 16)  # UNDEFINSTR
INVALID_STATE = FaultKind(USAGE_FAULT, 1 << 17)  # INVSTATE


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


class End(enum.Enum):
    """What, other than a fault, made Unicorn stop."""

    ASKED = "it was asked to"
    CALL = "SVC"
    BREAKPOINT = "BKPT"
    RETURN = "return from a handler"
    WAIT_FOR_INTERRUPT = "WFI"
    WAIT_FOR_EVENT = "WFE"
    YIELD = "YIELD"
