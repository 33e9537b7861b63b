# SPDX-License-Identifier: Apache-2.0
"""Quantities as people write them: "320KiB" <-> bytes, "250ms" <-> microseconds."""

from __future__ import annotations

import re

from unas.errors import ConfigError

_BYTE_UNITS = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "KiB": 1024,
    "MB": 1000**2,
    "MiB": 1024**2,
}
_TIME_UNITS_US = {"us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6}
_FREQUENCY_UNITS = {"Hz": 1, "kHz": 1000, "MHz": 1000**2}
_QUANTITY = re.compile(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([A-Za-zµ]*)\s*")


def _parse(text: str | int, units: dict[str, float] | dict[str, int], what: str) -> float:
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None or (match[2] and match[2] not in units):
        known = ", ".join(units)
        raise ConfigError(f"{text!r} is no {what}; write a number and one of {known}")
    return float(match[1].replace("_", "")) * units.get(match[2], 1)


def parse_bytes(text: str | int) -> int:
    """Bytes from ``"320KiB"``, ``"64kB"`` (decimal) or a plain number.

    Raises:
        ConfigError: No such quantity, or no whole number of bytes.
    """
    value = _parse(text, _BYTE_UNITS, "size in bytes")
    if value != int(value):
        raise ConfigError(f"{text!r} is no whole number of bytes; write it in a smaller unit")
    return int(value)


def parse_microseconds(text: str | int) -> float:
    """Microseconds from ``"250ms"``; a plain number is microseconds already.

    Raises:
        ConfigError: No such quantity.
    """
    return float(_parse(text, _TIME_UNITS_US, "duration"))


def parse_frequency(text: str | int) -> int:
    """Hz from ``"25MHz"``; a plain number is Hz already.

    Raises:
        ConfigError: No such quantity, or no whole number of Hz.
    """
    value = _parse(text, _FREQUENCY_UNITS, "frequency")
    if value != int(value):
        raise ConfigError(f"{text!r} is no whole number of Hz; write it in a smaller unit")
    return int(value)


def format_bytes(count: int) -> str:
    """``1536`` -> ``"1.5 KiB"``; exact below one KiB."""
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:.1f} KiB" if count < 1024**2 else f"{count / 1024**2:.2f} MiB"


def format_microseconds(value: float) -> str:
    """``1234.5`` -> ``"1.23 ms"``."""
    if value < 1e3:
        return f"{value:.1f} µs"
    return f"{value / 1e3:.2f} ms" if value < 1e6 else f"{value / 1e6:.2f} s"
