# SPDX-License-Identifier: Apache-2.0
"""Coverage of prediction intervals by nominal level and by latency, on held-out networks.

Held-out predictions as arrays are here too: other figures of a calibration show them as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.stats
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unas.errors import StoreError
from unas.report.style import BLUE, GREY, add_axes, new_figure, on_log_scale, origin, provenance
from unas.store.calibration import Calibration

NAME = "coverage"
_LEVELS = np.linspace(0.05, 0.98, 32)
_GROUPS = 5
_MIN_NETWORKS = 10


def scores(table: HeldOutTable) -> Vector:
    """Where each network lies in its interval: 0 at the prediction, 1 at the end it lies towards.

    Distances are of logarithms, shape (n,).
    """
    ratio = np.log(table.actual_us / table.predicted_us)
    up = np.log(table.upper_us / table.predicted_us)
    down = np.log(table.predicted_us / np.maximum(table.lower_us, 1e-9))
    return np.where(ratio >= 0, ratio / np.maximum(up, 1e-12), -ratio / np.maximum(down, 1e-12))


def coverage_by_level(table: HeldOutTable, levels: Vector) -> Vector:
    """Coverage of intervals stretched to other levels, in shares of one, shape of ``levels``.

    The stretch for a network comes from all others (leave-one-out conformal prediction).
    """
    score = scores(table)
    n = len(score)
    covered = np.zeros(len(levels))
    for index in range(n):
        others = np.sort(np.delete(score, index))
        rank = np.minimum(np.ceil(levels * n).astype(int), n - 1)
        covered += score[index] <= others[rank - 1]
    return covered / n


def figure(calibration: Calibration) -> Figure:
    """Coverage of the default model's intervals by nominal level, and of its own by latency.

    Raises:
        StoreError: Too few held-out networks.
    """
    default = calibration.models.default
    table = held_out(calibration, default.name)
    if len(table.actual_us) < _MIN_NETWORKS or not np.isfinite(table.upper_us).all():
        raise StoreError(
            f"coverage needs intervals of {_MIN_NETWORKS} networks, here are "
            f"{len(table.actual_us)}; calibrate with more"
        )
    drawing = new_figure(6.8, 3.4)
    _by_level(add_axes(drawing, 1, 2, 1), table, default.interval.level)
    axes = add_axes(drawing, 1, 2, 2)
    _by_latency(axes, table, default.interval.level)
    axes.set_xlabel(f"latency of one inference (ms, {provenance(calibration)})")
    drawing.suptitle(f"{default.name}: {origin(calibration)}", fontsize=9, x=0.01, ha="left")
    return drawing


def _by_level(axes: Axes, table: HeldOutTable, level: float) -> None:
    n = len(table.actual_us)
    low, high = (scipy.stats.binom.ppf(p, n, _LEVELS) / n * 100 for p in (0.025, 0.975))
    axes.fill_between(
        _LEVELS * 100, low, high, color=GREY, alpha=0.25, linewidth=0, label="chance, 95 %"
    )
    axes.plot([0, 100], [0, 100], color="#000000", linewidth=0.7)
    axes.plot(
        _LEVELS * 100,
        coverage_by_level(table, _LEVELS) * 100,
        color=BLUE,
        linewidth=1.2,
        label="stretched to the level\nby the other networks",
    )
    inside = _is_inside(table).mean() * 100
    axes.plot(
        [level * 100], [inside], "o", color=BLUE, markersize=6, label=f"as stored: {inside:.1f} %"
    )
    axes.set(
        xlabel="nominal level (%)",
        ylabel="held-out networks inside (%)",
        xlim=(0, 100),
        ylim=(0, 101),
    )
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def _by_latency(axes: Axes, table: HeldOutTable, level: float) -> None:
    order = np.argsort(table.actual_us, kind="stable")
    groups = np.array_split(order, min(_GROUPS, max(len(order) // 5, 1)))
    inside = _is_inside(table)
    for group in groups:
        covered, n = int(inside[group].sum()), len(group)
        low, high = scipy.stats.binomtest(covered, n).proportion_ci(0.95, method="wilson")
        middle, share = np.median(table.actual_us[group]) / 1e3, covered / n
        axes.errorbar(
            [middle],
            [share * 100],
            yerr=[[max(share - low, 0) * 100], [max(high - share, 0) * 100]],
            fmt="o",
            color=BLUE,
            markersize=5,
            linewidth=1.2,
        )
        axes.annotate(
            f"n={n}", (middle, share * 100), (4, -9), textcoords="offset points", fontsize=7
        )
    axes.axhline(level * 100, color="#000000", linewidth=0.7)
    on_log_scale(axes)
    axes.margins(x=0.15)
    axes.set(ylabel=f"inside the {100 * level:.0f} % interval (%)", ylim=(0, 101))


def _is_inside(table: HeldOutTable) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return (table.lower_us <= table.actual_us) & (table.actual_us <= table.upper_us)


Vector = npt.NDArray[np.float64]
# As predictions.csv names them.
_COLUMNS = ("found_us", "predicted_us", "lower_us", "upper_us")


@dataclass(frozen=True, slots=True)
class HeldOutTable:
    """Held-out predictions of one model; all arrays of shape (n,).

    Attributes:
        model: Name of the model.
        actual_us: Latency, emulated or measured, in microseconds.
        predicted_us: Predicted latency in microseconds.
        lower_us: Lower end of the prediction interval.
        upper_us: Upper end of the prediction interval.
    """

    model: str
    actual_us: Vector
    predicted_us: Vector
    lower_us: Vector
    upper_us: Vector

    @property
    def error(self) -> Vector:
        """(predicted - actual) / actual."""
        return self.predicted_us / self.actual_us - 1.0


def held_out(calibration: Calibration, model: str) -> HeldOutTable:
    """A model's held-out predictions in the order they are stored.

    Raises:
        StoreError: There are none of that model, or no finite ones.
    """
    table = calibration.predictions
    rows = table[table["model"] == model]
    arrays = [rows[name].to_numpy(dtype=np.float64) for name in _COLUMNS]
    if len(rows) == 0 or not all(np.isfinite(array).all() for array in arrays[:2]):
        known = ", ".join(sorted(set(table["model"])))
        raise StoreError(
            f"no held-out predictions of the model {model!r}; there are some of: {known or 'none'};"
            " calibrate again"
        )
    return HeldOutTable(model, *arrays)


def models_shown(calibration: Calibration) -> tuple[str, ...]:
    """Names of the models that have predictions: the baseline first, the default last."""
    have = set(calibration.predictions["model"])
    chosen = calibration.models.chosen
    order = ["mac-line", "operator-linear", "boosted"]
    others = [name for name in order if name in have and name != chosen]
    return (*others, *([chosen] if chosen in have else []))
