# SPDX-License-Identifier: Apache-2.0
"""WFI, WFE and the core's event register; ARMv7-M ARM B1.5.18 and B1.5.19."""

from __future__ import annotations

from collections.abc import Callable

from unas.virtual.core.exceptions import Masks
from unas.virtual.core.faults import End
from unas.virtual.core.system_control import SystemControl

_KINDS = (End.WAIT_FOR_INTERRUPT, End.WAIT_FOR_EVENT)
_SEVONPEND = 1 << 4  # SCR


class Sleep:
    """Whether the core sleeps, and what wakes it.

    Args:
        control: SCR and the exceptions.
        masks: The core's mask registers now.

    Attributes:
        cycles: Core clock cycles that were slept through.
    """

    def __init__(self, control: SystemControl, masks: Callable[[], Masks]) -> None:
        self._control = control
        self._masks = masks
        self._kind: End | None = None
        self._event = False
        self.cycles = 0

    @property
    def asleep(self) -> bool:
        """The core waits."""
        return self._kind is not None

    def reset(self) -> None:
        """As after a reset of the core."""
        self._kind, self._event = None, False

    def fall(self, end: End) -> None:
        """Sleep, if that is what ended the run."""
        if end in _KINDS:
            self._kind = end

    def note_event(self) -> None:
        """Set the event register: SEV, or an exception was entered or left."""
        self._event = True

    def interrupt(self) -> None:
        """An exception is taken: that ends every sleep."""
        self._kind, self._event = None, True

    def ends(self) -> bool:
        """Whether the sleep is over; if so the core is awake from now on."""
        exceptions = self._control.exceptions
        if self._kind is End.WAIT_FOR_EVENT:
            reported = self._control.value("SCR") & _SEVONPEND and exceptions.pending
            over = bool(self._event or reported)
            self._event = self._event and not over
        else:
            over = exceptions.wakes(self._masks())
        if over:
            self._kind = None
        return over
