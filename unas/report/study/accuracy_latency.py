# SPDX-License-Identifier: Apache-2.0
"""Error over latency; the latencies of a board and predicted ones never look alike."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unas.errors import StoreError
from unas.record import Provenance, Record
from unas.record.latency import Latency, latency_of, provenances_text
from unas.report.study.costs import LATENCY, complete
from unas.report.study.fronts import draw_bounds, error_percent, front_over
from unas.report.style import BLUE, GREY, RED, add_axes, legend_above, new_figure, on_log_scale
from unas.store.study_folder import StudyResults

NAME = "accuracy_latency"
_Point = tuple[Latency, float]
"""(latency, error in percent) of one network."""


def figure(study: StudyResults) -> Figure:
    """Every trained network: a board's latencies as dots, predicted ones as circles with intervals.

    Raises:
        StoreError: No trained network has a latency.
    """
    records = [record for record in complete(study.records) if latency_of(record) is not None]
    if not records:
        raise StoreError(
            f'no trained network of {study.name} has a latency: with [latency] mode = "macs" '
            'none is measured or predicted; search with "predicted" or "measured"'
        )
    drawing = new_figure(6.4, 4.4)
    axes = add_axes(drawing)
    _draw_networks(axes, _points(records))
    front = _points(front_over(LATENCY, records))
    axes.step(
        [latency.value_us / 1e3 for latency, _ in front], [error for _, error in front],
        where="post", color=GREY, linewidth=1.1, label="front",
    )  # fmt: skip
    draw_bounds(axes, LATENCY, study)
    on_log_scale(axes, y=True)
    axes.set(
        xlabel=f"latency of one inference (ms; {provenances_text(records)})",
        ylabel="int8 error on the validation split (%)",
    )
    legend_above(axes, 3)
    drawing.suptitle(f"{study.name}: {_setup(study, records)}", fontsize=9, x=0.01, ha="left")
    return drawing


def _points(records: Sequence[Record]) -> list[_Point]:
    known = ((latency_of(record), error_percent(record)) for record in records)
    return [(latency, error) for latency, error in known if latency and error is not None]


def _draw_networks(axes: Axes, points: Sequence[_Point]) -> None:
    for provenance in (Provenance.PREDICTED, Provenance.EMULATED, Provenance.MEASURED):
        some = [point for point in points if point[0].provenance is provenance]
        if not some:
            continue
        x, y = [latency.value_us / 1e3 for latency, _ in some], [error for _, error in some]
        if provenance is Provenance.PREDICTED:
            axes.errorbar(
                x, y, xerr=_interval([latency for latency, _ in some]), fmt="o", markersize=4,
                markerfacecolor="white", color=RED, elinewidth=0.7, alpha=0.8,
                label=f"{provenance} ({len(some)}), interval",
            )  # fmt: skip
        else:
            axes.scatter(x, y, s=18, color=BLUE, linewidths=0, label=f"{provenance} ({len(some)})")


def _interval(latencies: Sequence[Latency]) -> list[list[float]]:
    """Milliseconds below and above each value, as matplotlib wants error bars."""
    below, above = [], []
    for latency in latencies:
        value = latency.value_us
        lower = value if latency.lower_us is None else latency.lower_us
        upper = value if latency.upper_us is None else latency.upper_us
        below.append(max(value - lower, 0.0) / 1e3)
        above.append(max(upper - value, 0.0) / 1e3)
    return [below, above]


def _setup(study: StudyResults, records: Sequence[Record]) -> str:
    """Board, runtime and timing in words."""
    board = study.config.board
    timings = sorted({r.measurement.timing for r in records if r.measurement is not None})
    timing = f", timing {', '.join(timings)}" if timings else ""
    return f"{board.id}, runtime {board.runtime}{timing}; dashed: the bounds"
