# SPDX-License-Identifier: Apache-2.0
"""Pareto fronts: the int8 error over what a network costs; one study, or several compared.

What fronts are drawn over: a quantity, its unit, its bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unas.config import StudyConfig
from unas.errors import StoreError
from unas.record import Outcome, Provenance, Record
from unas.report.study.predicted_latency import latency_of, provenances, with_predicted_latency
from unas.report.study.repeated_trainings import final_errors
from unas.report.style import BLUE, GREEN, GREY, RED, add_axes, new_figure, on_log_scale
from unas.search.pareto import non_dominated
from unas.store.study_folder import StudyResults

NAME = "pareto"
_COLOURS = (BLUE, RED, GREEN, "#7b5aa6", "#b8860b", "#444444")
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
        _bounds(panel, axis, study)
        _finish(panel, axis, records, index)
    feasible = sum(record.feasible for record in records)
    drawing.suptitle(
        f"{study.name}: {len(study.records)} candidates, {len(records)} trained, "
        f"{feasible} keep every bound",
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
        results: Directory of results: a calibration there tells the latency of kept networks whose
            study asked for none.

    Raises:
        StoreError: In one of them nothing was trained to the end.
    """
    found = [with_predicted_latency(study, _trained(study), results) for study in studies]
    everything = [record for records in found for record in records]
    drawing = new_figure(10.2, 3.8)
    for index, axis in enumerate(axes_of(everything), start=1):
        panel = add_axes(drawing, 1, 3, index)
        for number, (study, records) in enumerate(zip(studies, found, strict=True)):
            colour = _COLOURS[number % len(_COLOURS)]
            front = front_over(axis, [r for r in records if r.violations.keys() <= _ERROR])
            kept = sum(record.feasible for record in records)
            what = f"{study.name}: {len(records)} trained, {kept} keep all bounds"
            _staircase(panel, axis, front, colour, _STYLES[number % len(_STYLES)], what)
            _bounds(panel, axis, study, colour if _differ(axis, studies) else GREY)
        _finish(panel, axis, everything, index)
    drawing.suptitle(
        f"fronts of {len(studies)} studies: networks that keep all bounds but, maybe, the error's",
        fontsize=9,
        x=0.01,
        ha="left",
    )
    _legend_below(drawing, 3)
    return drawing


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
        (True, BLUE, "keeps every bound"),
        (False, GREY, "violates one"),
    ):
        some = [(axis.shown(r), _percent(r)) for r in records if r.feasible is feasible]
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
    points = [(axis.shown(r), _percent(r), is_predicted(axis, r)) for r in front]
    x = [point[0] for point in points if point[0] is not None]
    y = [point[1] for point in points if point[1] is not None]
    fill = ["white" if point[2] else colour for point in points]
    panel.step(x, y, where="post", color=colour, linestyle=style, linewidth=1.3, label=what)
    panel.scatter(x, y, s=18, c=fill, edgecolors=colour, linewidths=1.0, zorder=3)


def _test_errors(panel: Axes, axis: CostAxis, front: Sequence[Record], study: StudyResults) -> None:
    """The test error of the same weights; where the network was trained again, mean and range."""
    single, again = [], []
    for record in front:
        x, finals = axis.shown(record), final_errors(study, record)
        if x is None:
            continue
        if finals is not None:
            again.append((x, finals))
        elif record.training is not None and record.training.test_error is not None:
            single.append((x, 100.0 * record.training.test_error))
    if single:
        xs, ys = zip(*single, strict=True)
        panel.scatter(xs, ys, s=22, marker="x", color=RED, linewidths=1.0, label="its test error")
    if again:
        means = [100.0 * one.mean for _, one in again]
        below = [100.0 * (one.mean - one.least) for _, one in again]
        above = [100.0 * (one.most - one.mean) for _, one in again]
        panel.errorbar(
            [x for x, _ in again], means, yerr=[below, above], fmt="D", markersize=3.5,
            color=RED, elinewidth=1.0, capsize=2, label="test error, final seeds: mean and range",
        )  # fmt: skip


def _bounds(panel: Axes, axis: CostAxis, study: StudyResults, colour: str = GREY) -> None:
    bound, error = axis.bound(study.config), study.config.judged.error
    if bound is not None:
        panel.axvline(bound, color=colour, linewidth=0.9, linestyle=(0, (4, 3)))
    if error is not None:
        panel.axhline(100.0 * error, color=GREY, linewidth=0.9, linestyle=(0, (4, 3)))


def _finish(panel: Axes, axis: CostAxis, records: Sequence[Record], index: int) -> None:
    on_log_scale(panel, y=True)
    panel.set_xlabel(axis.words(records))
    if index == 1:
        panel.set_ylabel("int8 error on the validation split (%)")


def _percent(record: Record) -> float | None:
    error = record.values.get("error")
    return None if error is None else max(100.0 * error, 0.01)


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


@dataclass(frozen=True, slots=True)
class CostAxis:
    """One quantity that a network costs.

    Attributes:
        name: As in ``Constraints``.
        label: For the axis, without provenance.
        scale: What one unit on the axis is, in the quantity's own unit.
        value: Of a record; None where it is not known.
    """

    name: str
    label: str
    scale: float
    value: Callable[[Record], float | None]

    def shown(self, record: Record) -> float | None:
        """In the axis' unit."""
        found = self.value(record)
        return None if found is None else found / self.scale

    def bound(self, config: StudyConfig) -> float | None:
        """The search's bound in the axis' unit, if it had one."""
        bound = config.judged.bounds().get(self.name)
        return None if bound is None else bound / self.scale

    def words(self, records: Sequence[Record]) -> str:
        """Label with unit and provenance."""
        if self.name != "latency_us":
            return f"{self.label}, {Provenance.PREDICTED})"
        origin = provenances(complete(records))
        return f"{self.label}, {origin.replace(', predicted', '; hollow: predicted')})"


def _judged(name: str) -> Callable[[Record], float | None]:
    return lambda record: record.values.get(name)


def _latency_us(record: Record) -> float | None:
    timed = latency_of(record)
    return None if timed is None else timed.value_us


AXES = (
    CostAxis("model_size_bytes", "model size (KB", 1e3, _judged("model_size_bytes")),
    CostAxis("peak_memory_bytes", "peak memory (KB", 1e3, _judged("peak_memory_bytes")),
    CostAxis("macs", "MACs (thousands", 1e3, _judged("macs")),
    CostAxis("latency_us", "latency (ms", 1e3, _latency_us),
)
LATENCY = AXES[-1]


def axes_of(records: Sequence[Record]) -> tuple[CostAxis, ...]:
    """Size, memory, and latency; MACs stand for the latency where no record knows one."""
    size, memory, macs, latency = AXES
    timed = any(latency_of(record) is not None for record in complete(records))
    return size, memory, latency if timed else macs


def is_predicted(axis: CostAxis, record: Record) -> bool:
    """Whether a figure must tell this latency apart from one that a board said."""
    timed = latency_of(record)
    return axis is LATENCY and timed is not None and timed.provenance is Provenance.PREDICTED


def complete(records: Sequence[Record]) -> list[Record]:
    """Records of networks that were trained to the end."""
    return [record for record in records if record.outcome is Outcome.COMPLETE]
