# SPDX-License-Identifier: Apache-2.0
"""Errors of latency models by operator family, and the share of time of each family."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unas.errors import StoreError
from unas.report.style import (
    add_axes,
    colour,
    label,
    legend_above,
    new_figure,
    origin,
    provenance,
)
from unas.store.calibration import Calibration

NAME = "operator_errors"
_MODELS = ("operator-linear", "boosted")
_MIN_SHARE_PERCENT = 0.1
_MIN_LIMIT_PERCENT = 25.0


def operator_errors(calibration: Calibration) -> pd.DataFrame:
    """Errors of operators in networks that were held out.

    Returns:
        A row for each family, largest share of the time first, with columns ``share_percent``,
        ``n`` and, for each model, ``<model> p10``, ``p50``, ``p90`` (percent, positive
        where the prediction is too high) and ``mape``.

    Raises:
        StoreError: No operators are stored.
    """
    table = calibration.operators
    table = table[table["found_cycles"] > 0]
    models = [name for name in _MODELS if name in set(table["model"])]
    if not models:
        raise StoreError(
            "the calibration holds no cycles of operators; calibrate on measurements that do"
        )
    one = table[table["model"] == models[0]]
    total = one["found_cycles"].sum()
    rows = []
    for family, members in one.groupby("family", sort=True):
        row: dict[str, object] = {
            "family": family,
            "share_percent": 100.0 * members["found_cycles"].sum() / total,
            "n": len(members),
        }
        for model in models:
            chosen = table[(table["model"] == model) & (table["family"] == family)]
            error = 100.0 * (chosen["predicted_cycles"] / chosen["found_cycles"] - 1.0)
            low, middle, high = np.percentile(error, [10, 50, 90])
            row |= {f"{model} p10": low, f"{model} p50": middle, f"{model} p90": high}
            row[f"{model} mape"] = error.abs().mean()
        rows.append(row)
    return pd.DataFrame(rows).sort_values("share_percent", ascending=False, ignore_index=True)


def figure(calibration: Calibration) -> Figure:
    """Median and 10th to 90th percentile of the error, a row for each family.

    Raises:
        StoreError: No operators are stored.
    """
    table = operator_errors(calibration)
    models = [name for name in _MODELS if f"{name} p50" in table.columns]
    drawing = new_figure(6.4, 1.6 + 0.34 * len(table))
    axes = add_axes(drawing)
    places = np.arange(len(table), dtype=np.float64)
    for index, model in enumerate(models):
        offset = 0.22 * (index - (len(models) - 1) / 2)
        low, middle, high = (
            table[f"{model} {p}"].to_numpy(dtype=np.float64) for p in ("p10", "p50", "p90")
        )
        axes.errorbar(
            middle,
            places + offset,
            xerr=np.vstack([middle - low, high - middle]),
            fmt="o",
            markersize=4,
            linewidth=1.6,
            color=colour(model),
            label=label(model),
        )
    axes.axvline(0.0, color="#000000", linewidth=0.7)
    names = [
        f"{family}\n{share:.1f} % of the time, n = {n}"
        for family, share, n in zip(
            table["family"], table["share_percent"], table["n"], strict=True
        )
    ]
    axes.set_yticks(places, names, fontsize=7)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set_xlabel(
        f"predicted over {provenance(calibration)} cycles of an operator, less one (%):\n"
        "median, 10th to 90th percentile, held-out networks"
    )
    _keep_in_view(axes, table, models)
    legend_above(axes, len(models))
    drawing.suptitle(origin(calibration), fontsize=9, x=0.01, ha="left")
    return drawing


def _keep_in_view(axes: Axes, table: pd.DataFrame, models: list[str]) -> None:
    """Set limits that families with a share of the time need; label the medians beyond them."""
    ends = [f"{model} {p}" for model in models for p in ("p10", "p90")]
    seen = table[table["share_percent"] >= _MIN_SHARE_PERCENT][ends].abs().to_numpy(float)
    limit = max(_MIN_LIMIT_PERCENT, 1.15 * float(seen.max(initial=0.0)))
    axes.set_xlim(-limit, limit)
    medians = table[[f"{model} p50" for model in models]].to_numpy(float).mean(axis=1)
    for place, median in enumerate(medians):
        if abs(median) > limit:
            side = "right" if median > 0 else "left"
            x = limit if median > 0 else -limit
            axes.text(x, place, f" {median:+.0f} % ", ha=side, va="center", fontsize=7)
