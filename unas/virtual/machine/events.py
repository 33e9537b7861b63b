# SPDX-License-Identifier: Apache-2.0
"""What a machine reports beside the serial line. Counts are since power-on.

Why a machine came to a stop.
"""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class StageEvent:
    """The firmware wrote a stage marker to ITM stimulus port 0."""

    stage: int
    instructions: int
    cycles: int


@dataclass(frozen=True, slots=True)
class FaultEvent:
    """The core faulted and entered its handler.

    Attributes:
        fault: What happened, and where, in words.
        pc: Address of the faulting instruction.
        address: Address that was accessed, or 0.
        instructions: Executed before it.
        cycles: Core clock cycles before it.
    """

    fault: str
    pc: int
    address: int
    instructions: int
    cycles: int


@dataclass(frozen=True, slots=True)
class ResetEvent:
    """The firmware asked for a system reset and got it."""

    reset: str
    instructions: int
    cycles: int


Event = StageEvent | FaultEvent | ResetEvent


def to_json(event: Event) -> dict[str, object]:
    """The event as a flat object; ``stage``, ``fault`` or ``reset`` in it tells its kind."""
    return asdict(event)


class Stop(enum.Enum):
    """Why ``Machine.run`` came back."""

    IDLE = "the firmware waits for a byte and the far end has none"
    LIMIT = "the limit of instructions or cycles is reached"
    STAGE = "the stage that was asked for is reached"
    REQUESTED = "request_stop was called"
    EXIT = "the firmware asked its debugger to end it"
