# SPDX-License-Identifier: Apache-2.0
"""How strictly a virtual board takes its firmware."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conduct:
    """Our own firmware is held to every rule; other people's is taken as it is.

    Attributes:
        tell: Takes, once each, what the firmware does that the chip's manual forbids or that is not
            modelled, and the run goes on; None: the first such thing ends it.
        paced: UARTs take the time that their baud rate says; else bytes come and go at once, and
            waiting for the host takes no time.
        uart: Which UART is the console: a name; ``"auto"`` for the first that the firmware
            switches on; None for the board's, through the board's pins, at the board's baud rate.
        semihosting: Takes what BKPT 0xAB writes; None: BKPT is an error.
    """

    tell: Callable[[str], None] | None = None
    paced: bool = False
    uart: str | None = None
    semihosting: Callable[[bytes], None] | None = None


STRICT = Conduct()
