# SPDX-License-Identifier: Apache-2.0
"""How tables, pages, model cards and figures spell a result: quantity, value and unit."""

from __future__ import annotations

from collections.abc import Sequence

from unas.constraints import Constraints
from unas.record.latency import MeanStd, feasible_count
from unas.record.study import FinalTraining, Prediction
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
    """A bounded quantity by its name for people: ``"peak_memory_bytes"`` -> ``"peak memory"``."""
    return _NAMES.get(name, name)


def quantity_text(name: str, value: float) -> str:
    """The value of a bounded quantity with the unit that suits it: ``"153.4 µs"``."""
    if name == "error":
        return percent(value)
    return microseconds(value) if name == "latency_us" else f"{value:,.0f}{_unit(name)}"


def column_text(name: str, value: float) -> str:
    """The same in the one unit that every row of a column has: ``"0.153 ms"``."""
    if name == "latency_us":
        return f"{value / 1e3:.3f} ms"
    return f"{value:,.0f} MACs" if name == "macs" else quantity_text(name, value)


def range_text(name: str, values: tuple[float, float]) -> str:
    """(min, max) of a bounded quantity: ``"2,080 B to 2,224 B"``."""
    return " to ".join(quantity_text(name, value) for value in values)


def short_range_text(name: str, values: tuple[float, float]) -> str:
    """The same for running text, with the unit once: ``"2,080 to 2,224 B"``."""
    return f"{values[0]:,.0f} to {values[1]:,.0f}{_unit(name)}"


def _unit(name: str) -> str:
    return " B" if name.endswith("_bytes") else ""


def bounds_text(constraints: Constraints) -> dict[str, str]:
    """Every bound that is set: name and value of its quantity."""
    return {quantity_name(n): quantity_text(n, v) for n, v in constraints.bounds().items()}


def percent(share: float | None) -> str:
    """``0.0312`` -> ``"3.12 %"``; a dash for what is not known."""
    return NOT_KNOWN if share is None else f"{100.0 * share:.2f} %"


def percent_range(share: MeanStd) -> str:
    """Smallest and largest share: ``"1.88 to 2.38 %"``."""
    return f"{100 * share.min:.2f} to {100 * share.max:.2f} %"


def mean_std_percent(share: MeanStd | None, digits: int = 2) -> str:
    """``"2.51 ± 0.39 %"``; the mean alone of a single value, a dash of none.

    Args:
        share: Of numbers from 0 to 1.
        digits: After the point.
    """
    if share is None:
        return NOT_KNOWN
    spread = f" ± {100 * share.std:.{digits}f}" if share.n > 1 else ""
    return f"{100 * share.mean:.{digits}f}{spread} %"


def microseconds(value: float | None) -> str:
    """A latency with the unit that suits it; a dash for what is not known."""
    return NOT_KNOWN if value is None else format_microseconds(value)


def predicted_latency_text(latency_us: Prediction) -> str:
    """A predicted latency with its interval: ``"320.1 µs (310.0 µs to 1.23 ms)"``."""
    lower, upper = microseconds(latency_us.lower), microseconds(latency_us.upper)
    return f"{microseconds(latency_us.value)} ({lower} to {upper})"


def duration(seconds: float) -> str:
    """``4000`` -> ``"66.7 min"``; hours from 100 minutes on."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def seed_count_text(finals: Sequence[FinalTraining]) -> str:
    """How many trainings a mean is over: ``"3"``, or ``"2 of 3, 1 diverged"``."""
    diverged = sum(final.diverged for final in finals)
    text = f"{len(finals) - diverged} of {len(finals)}, {diverged} diverged"
    return text if diverged else str(len(finals))


def feasible_count_text(finals: Sequence[FinalTraining], bounds: Constraints) -> str:
    """How many of these trainings gave a feasible network: ``"1 of 3"``."""
    return f"{feasible_count(finals, bounds)} of {len(finals)}"
