# SPDX-License-Identifier: Apache-2.0
"""The MAC-vs-latency figure: every network of a calibration, and the line through them."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from unas.errors import StoreError
from unas.report.style import BLUE, RED, add_axes, new_figure, origin, provenance
from unas.store.calibration import Calibration

NAME = "mac_vs_latency"


def figure(calibration: Calibration) -> Figure:
    """Latency over MACs, counted as in the paper, with the fitted line.

    Raises:
        StoreError: No line was fitted.
    """
    if "latency" not in calibration.lines:
        raise StoreError("the calibration holds no line over MACs; calibrate again")
    table, fit = calibration.table, calibration.lines["latency"]
    drawing = new_figure()
    axes = add_axes(drawing)
    macs = table["paper_macs"].to_numpy(dtype=float) / 1e6
    latency_ms = table["latency_us"].to_numpy(dtype=float) / 1e3
    axes.scatter(macs, latency_ms, s=14, color=BLUE, alpha=0.75, linewidths=0, label="network")
    x = np.array([0.0, macs.max() * 1.03])
    axes.plot(
        x,
        fit.line.predict(x * 1e6) / 1e3,
        color=RED,
        linewidth=1.4,
        label=f"{fit.line.slope * 1e3:.2f} ns/MAC {fit.line.intercept / 1e3:+.2f} ms",
    )
    held_out = fit.cross_validated
    axes.set(
        xlabel="MACs of one inference (millions, counted as in μNAS)",
        ylabel=f"latency of one inference (ms, {provenance(calibration)})",
        xlim=(0, None),
        ylim=(0, None),
    )
    axes.set_title(f"{held_out.n} random networks\n{origin(calibration)}", fontsize=9, loc="left")
    axes.text(
        0.98,
        0.04,
        "cross-validated\n"
        f"R² = {held_out.r2:.3f}\nMAPE = {held_out.mape_percent:.1f} %\n"
        f"within ±10 %: {held_out.within_10_percent:.0f} %\n"
        f"Spearman {held_out.spearman:.3f}",
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        fontsize=8,
    )
    axes.legend(loc="upper left", frameon=False, fontsize=8)
    return drawing
