# SPDX-License-Identifier: Apache-2.0
"""Range checks of the tables; the reader adds the file and the table to what they say."""

from __future__ import annotations

import math

from unas.errors import ConfigError


def require(condition: bool, message: str) -> None:
    """Do nothing if the condition holds.

    Raises:
        ConfigError: It does not; with the message.
    """
    if not condition:
        raise ConfigError(message)


def require_at_least(name: str, value: float | None, low: float) -> None:
    """Do nothing if the value is absent, or finite and no less than ``low``.

    Raises:
        ConfigError: It is less, infinite or no number.
    """
    if value is not None and not (math.isfinite(value) and value >= low):
        raise ConfigError(f"{name!r} is {value}; it must be at least {low}")


def require_positive(name: str, value: float | None) -> None:
    """Do nothing if the value is absent, or finite and above 0.

    Raises:
        ConfigError: It is not.
    """
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name!r} is {value}; it must be above 0")


def require_share(name: str, value: float | None, *, below: bool = False) -> None:
    """Do nothing if the value is absent or within 0..1, with ``below`` less than 1.

    Raises:
        ConfigError: It is not.
    """
    if value is not None and not (0 <= value <= 1 and not (below and value == 1)):
        raise ConfigError(f"{name!r} is {value}; it must be within 0..1{' below 1' * below}")
