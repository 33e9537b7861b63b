# SPDX-License-Identifier: Apache-2.0
"""Quantities of records in words, each with its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unas.record import Record

TITLES = {
    "error": "error",
    "peak_memory_bytes": "peak memory",
    "model_size_bytes": "model size",
    "macs": "MACs",
    "latency_us": "latency",
}


def value_text(name: str, value: float) -> str:
    """A quantity with its unit."""
    if name == "error":
        return f"{100 * value:.2f} %"
    if name == "latency_us":
        return f"{value / 1e3:.3f} ms"
    return f"{value:,.0f} MACs" if name == "macs" else f"{value:,.0f} B"


def latency_word(record: Record) -> str:
    """Where the latency that was judged comes from."""
    return "predicted" if record.measurement is None else str(record.measurement.provenance)
