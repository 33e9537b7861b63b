# SPDX-License-Identifier: Apache-2.0
"""What to do when firmware breaks a rule of the chip that silicon would often forgive."""

from __future__ import annotations

from collections.abc import Callable

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
        self._told: set[str] = set()

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
            if str(error) not in self._told:
                self._told.add(str(error))
                self._tell(str(error))
