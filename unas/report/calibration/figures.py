# SPDX-License-Identifier: Apache-2.0
"""All figures of a calibration, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from unas.errors import StoreError
from unas.report.calibration import (
    arena,
    coverage,
    decisions,
    mac_vs_latency,
    operator_errors,
    predicted_vs_found,
)
from unas.report.style import save
from unas.store.calibration import Calibration

FIGURES: dict[str, Callable[[Calibration], Figure]] = {
    module.NAME: module.figure
    for module in (
        mac_vs_latency,
        predicted_vs_found,
        operator_errors,
        decisions,
        coverage,
        arena,
    )
}


def draw(calibration: Calibration, folder: Path, name: str) -> tuple[Path, Path]:
    """Draw one figure as PNG and SVG.

    Args:
        calibration: What to show.
        folder: Where to put the files.
        name: A key of ``FIGURES``; stem of the files.

    Raises:
        StoreError: The calibration does not hold what the figure shows.
    """
    return save(FIGURES[name](calibration), folder, name)


def draw_all(calibration: Calibration, folder: Path) -> tuple[Path, ...]:
    """Draw every figure for which the calibration holds the data.

    Measurements made elsewhere may tell no arena and no operators: figures of these are left out,
    and older ones removed.

    Returns:
        Paths of the files.
    """
    paths: list[Path] = []
    for name in FIGURES:
        try:
            paths += draw(calibration, folder, name)
        except StoreError:
            for suffix in (".png", ".svg"):
                (folder / f"{name}{suffix}").unlink(missing_ok=True)
    return tuple(paths)
