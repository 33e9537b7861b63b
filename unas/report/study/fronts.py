# SPDX-License-Identifier: Apache-2.0
"""Pareto fronts: the int8 error over what a network costs; one study, or several compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unas.errors import StoreError
from unas.record import Record
from unas.record.latency import final_errors
from unas.report.study.costs import (
    CostAxis,
    axes_of,
    complete,
    is_predicted,
    with_predicted_latency,
)
from unas.report.style import BLUE, GREEN, GREY, RED, add_axes, new_figure, on_log_scale, save
from unas.store.study_folder import StudyResults
from unas.strategies.pareto import non_dominated

NAME = "pareto"
_COLOURS = (BLUE, RED, GREEN, "#7b5aa6", "#b8860b", "#444444")
_SMALLEST_PERCENT = 0.01
_ERROR = {"error"}  # its bound is drawn; a front without what lies above says little
_STYLES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)))


def front_over(axis: CostAxis, records: Sequence[Record]) -> list[Record]:
    """The trained networks that no other one beats in both error and one cost, cheapest first."""
    known, points = [], []
    for record in complete(records):
        cost, error = axis.value(record), record.values.get("error")
        if cost is not None and error is not None:
            known.append(record)
            points.append((cost, error))
    kept = non_dominated(np.array(points, dtype=np.float64).reshape(-1, 2))
    ordered = sorted(kept, key=lambda i: (points[i], known[i].index))
    firsts = {points[i]: i for i in reversed(ordered)}  # of equal networks the earliest
    return [known[i] for i in sorted(firsts.values(), key=points.__getitem__)]


def figure(study: StudyResults) -> Figure:
    """Error over size, memory and latency: everything trained, and the fronts.

    Raises:
        StoreError: Nothing was trained to the end.
    """
    records = _trained(study)
    drawing = new_figure(10.2, 3.8)
    for index, axis in enumerate(axes_of(records), start=1):
        panel = add_axes(drawing, 1, 3, index)
        _cloud(panel, axis, records)
        front = front_over(axis, records)
        _staircase(panel, axis, front, BLUE, "-", f"front ({len(front)} networks)")
        _test_errors(panel, axis, front, study)
        draw_bounds(panel, axis, study)
        _finish(panel, axis, records, index)
    feasible = sum(record.feasible for record in records)
    drawing.suptitle(
        f"{study.name}: {len(study.records)} candidates, {len(records)} trained, "
        f"{feasible} feasible",
        fontsize=9,
        x=0.01,
        ha="left",
    )
    _legend_below(drawing, 5)
    return drawing


def compare_fronts(studies: Sequence[StudyResults], results: Path) -> Figure:
    """The fronts of several studies in one figure, also where they lie above the error's bound.

    Args:
        studies: At least one; the order is that of the colours.
        results: Directory of results: a calibration there predicts the latency of kept networks
            whose study asked for none.

    Raises:
        StoreError: In one of them nothing was trained to the end.
    """
    per_study = [with_predicted_latency(study, _trained(study), results) for study in studies]
    everything = [record for records in per_study for record in records]
    drawing = new_figure(10.2, 3.8)
    for index, axis in enumerate(axes_of(everything), start=1):
        panel = add_axes(drawing, 1, 3, index)
        for number, (study, records) in enumerate(zip(studies, per_study, strict=True)):
            colour = _COLOURS[number % len(_COLOURS)]
            front = front_over(axis, [r for r in records if r.violations.keys() <= _ERROR])
            feasible = sum(record.feasible for record in records)
            what = f"{study.name}: {len(records)} trained, {feasible} feasible"
            _staircase(panel, axis, front, colour, _STYLES[number % len(_STYLES)], what)
            draw_bounds(panel, axis, study, colour if _differ(axis, studies) else GREY)
        _finish(panel, axis, everything, index)
    drawing.suptitle(
        f"fronts of {len(studies)} studies: networks that violate no bound but that on the error",
        fontsize=9,
        x=0.01,
        ha="left",
    )
    _legend_below(drawing, 3)
    return drawing


def write_fronts(studies: Sequence[StudyResults], results: Path, stem: Path) -> tuple[Path, Path]:
    """Write the figure of ``compare_fronts``: STEM.png and STEM.svg.

    Args:
        studies: At least one.
        results: Directory of results, where the calibrations lie.
        stem: Path of the files without suffix; its folder is made where there is none.
    """
    figure = compare_fronts(studies, results)
    stem.parent.mkdir(parents=True, exist_ok=True)
    return save(figure, stem.parent, stem.name)


def _trained(study: StudyResults) -> list[Record]:
    records = complete(study.records)
    if not records:
        raise StoreError(
            f"in {study.name} no candidate was trained to the end yet; let the search go on"
        )
    return records


def _differ(axis: CostAxis, studies: Sequence[StudyResults]) -> bool:
    return len({axis.bound(study.config) for study in studies}) > 1


def _cloud(panel: Axes, axis: CostAxis, records: Sequence[Record]) -> None:
    for feasible, colour, what in (
        (True, BLUE, "feasible"),
        (False, GREY, "infeasible"),
    ):
        some = [(axis.scaled(r), error_percent(r)) for r in records if r.feasible is feasible]
        known = [(x, y) for x, y in some if x is not None and y is not None]
        if known:
            x, y = zip(*known, strict=True)
            panel.scatter(x, y, s=9, color=colour, alpha=0.45, linewidths=0, label=what)


def _staircase(
    panel: Axes,
    axis: CostAxis,
    front: Sequence[Record],
    colour: str,
    style: str | tuple[int, tuple[int, ...]],
    what: str,
) -> None:
    """A front; a network whose latency is only predicted has a hollow mark."""
    points = [(axis.scaled(r), error_percent(r), is_predicted(axis, r)) for r in front]
    x = [point[0] for point in points if point[0] is not None]
    y = [point[1] for point in points if point[1] is not None]
    fill = ["white" if point[2] else colour for point in points]
    panel.step(x, y, where="post", color=colour, linestyle=style, linewidth=1.3, label=what)
    panel.scatter(x, y, s=18, c=fill, edgecolors=colour, linewidths=1.0, zorder=3)


def _test_errors(panel: Axes, axis: CostAxis, front: Sequence[Record], study: StudyResults) -> None:
    """The test error of the same weights; mean and range where trainings were repeated."""
    single, repeated = [], []
    for record in front:
        x, finals = axis.scaled(record), final_errors(study.finals_of(record))
        if x is None:
            continue
        if finals is not None:
            repeated.append((x, finals))
        elif record.training is not None and record.training.test_error is not None:
            single.append((x, 100.0 * record.training.test_error))
    if single:
        xs, ys = zip(*single, strict=True)
        panel.scatter(xs, ys, s=22, marker="x", color=RED, linewidths=1.0, label="test error")
    if repeated:
        means = [100.0 * one.mean for _, one in repeated]
        below = [100.0 * (one.mean - one.min) for _, one in repeated]
        above = [100.0 * (one.max - one.mean) for _, one in repeated]
        panel.errorbar(
            [x for x, _ in repeated], means, yerr=[below, above], fmt="D", markersize=3.5,
            color=RED, elinewidth=1.0, capsize=2,
            label="test error, repeated trainings: mean, range",
        )  # fmt: skip


def draw_bounds(panel: Axes, axis: CostAxis, study: StudyResults, colour: str = GREY) -> None:
    """Dashed lines: the study's bounds on a cost and on the error, where it has them."""
    bound, error = axis.bound(study.config), study.config.judged.error
    if bound is not None:
        panel.axvline(bound, color=colour, linewidth=0.9, linestyle=(0, (4, 3)))
    if error is not None:
        panel.axhline(100.0 * error, color=GREY, linewidth=0.9, linestyle=(0, (4, 3)))


def _finish(panel: Axes, axis: CostAxis, records: Sequence[Record], index: int) -> None:
    on_log_scale(panel, y=True)
    panel.set_xlabel(axis.title(records))
    if index == 1:
        panel.set_ylabel("int8 error on the validation split (%)")


def error_percent(record: Record) -> float | None:
    """int8 error on the validation split in percent, at least what a logarithmic axis can show."""
    error = record.values.get("error")
    return None if error is None else max(100.0 * error, _SMALLEST_PERCENT)


def _legend_below(drawing: Figure, columns: int) -> None:
    entries: dict[str, Artist] = {}
    for panel in drawing.axes:
        for handle, what in zip(*panel.get_legend_handles_labels(), strict=True):
            entries.setdefault(what.split(" (")[0] if what.startswith("front") else what, handle)
    drawing.legend(
        list(entries.values()),
        list(entries),
        loc="outside lower left",
        frameon=False,
        fontsize=8,
        ncols=min(len(entries), columns),
    )
