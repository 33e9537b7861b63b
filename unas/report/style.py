# SPDX-License-Identifier: Apache-2.0
"""Style of all figures: size, colours, axes, and titles with the provenance of the numbers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from unas.store.calibration import Calibration

BLUE, RED, GREEN, GREY = "#1f6f8b", "#c8553d", "#5a8f3c", "#8a8a8a"
# Name of a model in figures, and its colour.
MODELS = {
    "mac-line": ("MAC line", RED),
    "operator-linear": ("operator-linear", GREEN),
    "boosted": ("boosted", BLUE),
}
_DPI = 200


def _settings() -> AbstractContextManager[None]:
    # The salt makes SVG deterministic: the same data give the same bytes.
    return mpl.rc_context({"svg.hashsalt": "unas", "font.size": 8.5})


def new_figure(width: float = 6.4, height: float = 4.2) -> Figure:
    """An empty figure; sizes in inches."""
    with _settings():
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        return figure


def add_axes(figure: Figure, rows: int = 1, columns: int = 1, index: int = 1) -> Axes:
    """One of a grid of plain axes."""
    with _settings():
        axes = figure.add_subplot(rows, columns, index)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.5)
    return axes


def on_log_scale(
    axes: Axes, *, x: bool = True, y: bool = False, steps: tuple[float, ...] = (1.0, 2.0, 5.0)
) -> None:
    """Make axes logarithmic, with plain numbers at these steps of every decade."""
    for axis, scale, wanted in (
        (axes.xaxis, axes.set_xscale, x),
        (axes.yaxis, axes.set_yscale, y),
    ):
        if wanted:
            scale("log")
            axis.set_major_locator(LogLocator(subs=steps, numticks=12))
            axis.set_major_formatter(FuncFormatter(_plain))
            axis.set_minor_formatter(NullFormatter())


def _plain(value: float, _position: int | None) -> str:
    return f"{value:g}"


def legend_above(axes: Axes, columns: int) -> None:
    """A legend between title and axes, where it covers no data."""
    axes.legend(
        frameon=False,
        fontsize=8,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        borderaxespad=0.2,
        handlelength=1.4,
        columnspacing=1.2,
    )


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write PNG and SVG, deterministic; returns their paths."""
    with _settings():
        png, svg = folder / f"{name}.png", folder / f"{name}.svg"
        figure.savefig(png, dpi=_DPI, metadata={"Software": None})
        figure.savefig(svg, metadata={"Date": None, "Creator": None})
    return png, svg


def provenance(calibration: Calibration) -> str:
    """Provenance of the cycles that the models were fitted on: "emulated" or "measured"."""
    return str(calibration.models.default.identity["provenance"])


def origin(calibration: Calibration) -> str:
    """Board, runtime and provenance in one line."""
    identity = calibration.models.default.identity
    kernels = f" ({identity['kernels']} kernels)" if "kernels" in identity else ""
    timing = f", timing '{identity['timing']}'" if identity.get("timing") else ""
    return (
        f"{identity['board']}, runtime {identity['runtime']}{kernels}: "
        f"{identity['provenance']}{timing}"
    )


def label(model: str) -> str:
    """Name of a model in figures and tables."""
    return MODELS.get(model, (model, GREY))[0]


def colour(model: str) -> str:
    """Colour of a model in figures."""
    return MODELS.get(model, (model, GREY))[1]
