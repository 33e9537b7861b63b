# SPDX-License-Identifier: Apache-2.0
"""Predicted against emulated or measured latency: the MAC line beside the other models."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unas.report.calibration.coverage import HeldOutTable, held_out, models_shown
from unas.report.style import add_axes, colour, label, new_figure, on_log_scale, origin, provenance
from unas.store.calibration import Calibration

NAME = "latency_model"
_BAND = 0.10


def figure(calibration: Calibration) -> Figure:
    """A panel for each model, both axes logarithmic, with a band of ±10 %.

    Raises:
        StoreError: There are no held-out predictions.
    """
    shown = [held_out(calibration, model) for model in models_shown(calibration)]
    drawing = new_figure(3.1 * len(shown), 3.5)
    # Predictions of a bad model may be zero or below; a logarithmic axis clips them at its edge.
    actual = np.concatenate([table.actual_us for table in shown]) / 1e3
    low, high = actual.min() / 1.6, actual.max() * 1.6
    for index, table in enumerate(shown, 1):
        axes = add_axes(drawing, 1, len(shown), index)
        _panel(axes, table, (low, high))
        axes.set_xlabel(f"latency of one inference (ms, {provenance(calibration)})")
        is_default = table.model == calibration.models.chosen
        axes.set_title(label(table.model) + " (default)" * is_default, fontsize=9, loc="left")
        if index == 1:
            axes.set_ylabel("predicted latency, held-out networks (ms)")
    drawing.suptitle(origin(calibration), fontsize=9, x=0.01, ha="left")
    return drawing


def _panel(axes: Axes, table: HeldOutTable, limits: tuple[float, float]) -> None:
    ends = np.array(limits)
    axes.fill_between(
        ends, ends * (1 - _BAND), ends * (1 + _BAND), color="#000000", alpha=0.10, linewidth=0
    )
    axes.plot(ends, ends, color="#000000", linewidth=0.7)
    predicted = np.clip(table.predicted_us / 1e3, *limits)
    axes.scatter(
        table.actual_us / 1e3, predicted, s=11, color=colour(table.model), alpha=0.75, linewidths=0
    )
    on_log_scale(axes, y=True, steps=(1.0,))
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    error = np.abs(table.error)
    axes.text(
        0.97,
        0.04,
        f"n = {len(error)}\nMAPE {100 * error.mean():.1f} %\n"
        f"within ±10 %: {100 * (error <= _BAND).mean():.0f} %\nworst {100 * error.max():.0f} %",
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        fontsize=8,
    )
