# SPDX-License-Identifier: Apache-2.0
"""What to do when firmware breaks a rule of the chip that silicon would often forgive.

How strictly a virtual board takes its firmware.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from unas.errors import EmulatorError


class Rules:
    """Rules whose breach works on most desks, on most days: too few wait states, say.

    For our own firmware a breach is a defect and ends the run. Other people's firmware has shipped
    with it: there it is told once, and the run goes on.

    Args:
        tell: Takes each breach, once; None: a breach is an error.
    """

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self._tell = tell
        self._reported: set[str] = set()

    def hold(self, check: Callable[[], None]) -> None:
        """Run a check that raises on a breach.

        Raises:
            EmulatorError: A breach, where nobody is to be told.
        """
        try:
            check()
        except EmulatorError as error:
            if self._tell is None:
                raise
            if str(error) not in self._reported:
                self._reported.add(str(error))
                self._tell(str(error))


@dataclass(frozen=True, slots=True)
class Strictness:
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


STRICT = Strictness()
