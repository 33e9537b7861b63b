# SPDX-License-Identifier: Apache-2.0
"""The MAC-vs-latency figure: every network of a calibration, and the line through them."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from unas.store.calibration import Calibration

NAME = "mac_vs_latency"
_DPI = 200


def draw(calibration: Calibration, folder: Path) -> tuple[Path, Path]:
    """Draw the figure as PNG and SVG.

    Args:
        calibration: What to show.
        folder: Where to put the files.

    Returns:
        Paths of the two files.
    """
    # Deterministic SVG: same data, same bytes.
    with mpl.rc_context({"svg.hashsalt": "unas", "font.size": 9}):
        figure = _figure(calibration)
        png, svg = folder / f"{NAME}.png", folder / f"{NAME}.svg"
        figure.savefig(png, dpi=_DPI, metadata={"Software": None})
        figure.savefig(svg, metadata={"Date": None, "Creator": None})
    return png, svg


def _figure(calibration: Calibration) -> Figure:
    table, fit = calibration.table, calibration.latency
    provenance = str(table["provenance"].iloc[0])
    device = calibration.environment.get("device", {})
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    macs = table["paper_macs"].to_numpy(dtype=float) / 1e6
    latency_ms = table["latency_us"].to_numpy(dtype=float) / 1e3
    axes.scatter(macs, latency_ms, s=14, color="#1f6f8b", alpha=0.75, linewidths=0, label="network")
    x = np.array([0.0, macs.max() * 1.03])
    axes.plot(
        x,
        fit.line.predict(x * 1e6) / 1e3,
        color="#c8553d",
        linewidth=1.4,
        label=f"{fit.line.slope * 1e3:.2f} ns/MAC {fit.line.intercept / 1e3:+.2f} ms",
    )
    held_out = fit.cross_validated
    axes.set(
        xlabel="MACs of one inference (millions, counted as in μNAS)",
        ylabel=f"latency of one inference (ms, {provenance})",
        xlim=(0, None),
        ylim=(0, None),
    )
    axes.set_title(
        f"{calibration.environment.get('board')}: {held_out.n} random networks, {provenance}\n"
        f"runtime {device.get('runtime')} ({device.get('kernels')} kernels), "
        f"timing '{calibration.environment.get('timing')}'",
        fontsize=9,
        loc="left",
    )
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
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.5)
    return figure
