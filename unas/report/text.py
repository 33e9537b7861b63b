# SPDX-License-Identifier: Apache-2.0
"""Quantities as the page spells them."""

from __future__ import annotations

from unas.constraints import Constraints
from unas.units import format_microseconds

NOT_KNOWN = "\N{EN DASH}"
_NAMES = {
    "error": "int8 error",
    "peak_memory_bytes": "peak memory",
    "model_size_bytes": "model size",
    "macs": "MACs",
    "latency_us": "latency",
}


def quantity_name(name: str) -> str:
    """``"peak_memory_bytes"`` -> ``"peak memory"``."""
    return _NAMES.get(name, name)


def percent(share: float | None) -> str:
    """``0.0312`` -> ``"3.12 %"``."""
    return NOT_KNOWN if share is None else f"{100.0 * share:.2f} %"


def microseconds(value: float | None) -> str:
    """With a unit that suits."""
    return NOT_KNOWN if value is None else format_microseconds(value)


def seconds(value: float) -> str:
    """``4000`` -> ``"1.1 h"``."""
    if value < 100:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min" if value < 6000 else f"{value / 3600:.1f} h"


def quantity_words(name: str, value: float) -> str:
    """A value of a quantity with its unit."""
    if name == "error":
        return percent(value)
    if name == "latency_us":
        return microseconds(value)
    return f"{value:,.0f}{' B' if name.endswith('_bytes') else ''}"


def bound_words(constraints: Constraints) -> dict[str, str]:
    """Every bound that is set: name and value."""
    return {quantity_name(n): quantity_words(n, v) for n, v in constraints.bounds().items()}
