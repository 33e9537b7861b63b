# SPDX-License-Identifier: Apache-2.0
"""Error of the predicted tensor arena."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from unas.errors import StoreError
from unas.report.style import (
    BLUE,
    RED,
    add_axes,
    legend_above,
    new_figure,
    on_log_scale,
    origin,
    provenance,
)
from unas.store.calibration import Calibration

NAME = "arena_model"
_NEEDED = ("arena_used_bytes", "arena_predicted_bytes", "peak_memory_bytes")
_BAND_PERCENT = 3.0


def figure(calibration: Calibration) -> Figure:
    """Error of the arena model, and of peak memory used as one, over the size of the arena.

    Raises:
        StoreError: No arena was predicted, as of measurements made elsewhere.
    """
    table = calibration.table
    if not set(_NEEDED) <= set(table.columns) or table[list(_NEEDED)].isna().any(axis=None):
        raise StoreError(
            "the calibration holds no predicted arenas; calibrate on networks whose arena is known"
        )
    actual, predicted, peak = (table[name].to_numpy(dtype=np.float64) for name in _NEEDED)
    drawing = new_figure(6.4, 3.8)
    axes = add_axes(drawing)
    axes.axhspan(-_BAND_PERCENT, _BAND_PERCENT, color="#000000", alpha=0.08, linewidth=0)
    axes.axhline(0.0, color="#000000", linewidth=0.7)
    for what, value, paint in (
        ("peak memory, the paper's proxy", peak, RED),
        ("arena model", predicted, BLUE),
    ):
        error = 100.0 * (value / actual - 1.0)
        inside = (np.abs(error) <= _BAND_PERCENT).mean()
        axes.scatter(
            actual / 1024,
            error,
            s=13,
            color=paint,
            alpha=0.75,
            linewidths=0,
            label=f"{what}: {100 * inside:.0f} % within ±3 %, "
            f"from {error.min():+.1f} to {error.max():+.1f} %",
        )
    on_log_scale(axes)
    axes.set(
        xlabel=f"tensor arena of a network (KiB, {provenance(calibration)})",
        ylabel="relative error of the predicted arena (%)",
    )
    legend_above(axes, 1)
    drawing.suptitle(origin(calibration), fontsize=9, x=0.01, ha="left")
    return drawing
