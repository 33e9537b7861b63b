# SPDX-License-Identifier: Apache-2.0
"""How a search came along: what it covered, and its best networks, over trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unas.config import StudyConfig
from unas.errors import StoreError
from unas.record import Outcome, Record
from unas.report.style import (
    BLUE,
    GREEN,
    GREY,
    RED,
    add_axes,
    legend_above,
    new_figure,
    on_log_scale,
)
from unas.search.pareto import hypervolume
from unas.store.study_folder import StudyResults

NAME = "convergence"
_COLOURS = {
    "error": BLUE,
    "peak_memory_bytes": GREEN,
    "model_size_bytes": RED,
    "macs": "#7b5aa6",
    "latency_us": "#7b5aa6",
}
_WORDS = {
    "error": "int8 error",
    "peak_memory_bytes": "peak memory",
    "model_size_bytes": "model size",
    "macs": "MACs",
    "latency_us": "latency",
}


@dataclass(frozen=True, slots=True)
class Course:
    """A search, training by training.

    Attributes:
        trainings: 1, 2, … for each trained candidate.
        covered: Share of the space below twice the bounds that the networks so far dominate.
        within: The same of the space below the bounds: only networks that keep them count.
        best: Least of each bounded quantity among feasible networks so far, in units of its bound;
            None as long as there is none.
    """

    trainings: tuple[int, ...]
    covered: tuple[float, ...]
    within: tuple[float, ...]
    best: dict[str, tuple[float | None, ...]]


def course_of(records: Sequence[Record], config: StudyConfig) -> Course:
    """Follow a search in the order in which its records came."""
    bounds = config.judged.bounds()
    scale = np.array(list(bounds.values()))
    twice, once = _Covered(len(bounds), 2.0), _Covered(len(bounds), 1.0)
    covered, within = list[float](), list[float]()
    best: dict[str, list[float | None]] = {name: [] for name in bounds}
    trained = [record for record in records if record.training is not None]
    for record in trained:
        if record.outcome is Outcome.COMPLETE and bounds.keys() <= record.values.keys():
            point = np.array([record.values[name] for name in bounds]) / scale
            twice.add(point)
            once.add(point)
        covered.append(twice.share)
        within.append(once.share)
        for name, bound in bounds.items():
            before = best[name][-1] if best[name] else None
            value = record.values[name] / bound if record.feasible else None
            known = [one for one in (before, value) if one is not None]
            best[name].append(min(known) if known else None)
    return Course(
        tuple(range(1, len(trained) + 1)),
        tuple(covered),
        tuple(within),
        {name: tuple(values) for name, values in best.items()},
    )


class _Covered:
    """How much of a cube a growing set of points dominates; as ``covered_share`` has it."""

    def __init__(self, axes: int, reach: float) -> None:
        self._corner, self._whole = np.full(axes, reach), reach**axes
        self._front, self._volume = np.empty((0, axes)), 0.0

    @property
    def share(self) -> float:
        """0 of no point, 1 never quite."""
        return self._volume / self._whole

    def add(self, point: NDArray[np.float64]) -> None:
        """One more point: its own box less what the others cover of it, far cheaper than all."""
        front, corner = self._front, self._corner
        if (point >= corner).any() or (front <= point).all(axis=1).any():
            return
        common = hypervolume(np.maximum(front, point), corner.tolist())
        self._volume += float(np.prod(corner - point)) - common
        self._front = np.vstack([front[~(point <= front).all(axis=1)], point])


def figure(study: StudyResults) -> Figure:
    """Covered share above, the best feasible networks below.

    Raises:
        StoreError: Nothing was trained.
    """
    course = course_of(study.records, study.config)
    if not course.trainings:
        raise StoreError(f"in {study.name} no candidate was trained yet; let the search go on")
    drawing = new_figure(6.4, 4.8)
    above = add_axes(drawing, 2, 1, 1)
    above.step(
        course.trainings,
        [100.0 * share for share in course.covered],
        where="post",
        color=BLUE,
        linewidth=1.4,
    )
    above.set(ylabel="covered hypervolume\n(% up to twice the bounds)", ylim=(0, None))
    above.set_title(
        f"{study.name}: {study.config.search.strategy}, seed {study.config.search.seed}, "
        f"{len(study.records)} candidates",
        fontsize=9,
        loc="left",
    )
    below = add_axes(drawing, 2, 1, 2)
    for name, values in course.best.items():
        known = [(n, v) for n, v in zip(course.trainings, values, strict=True) if v is not None]
        if known:
            x, y = zip(*known, strict=True)
            colour = _COLOURS[name]
            below.step(x, y, where="post", color=colour, linewidth=1.4, label=_WORDS[name])
    below.axhline(1.0, color=GREY, linewidth=0.9, linestyle=(0, (4, 3)))
    below.set(
        xlabel="trained candidates",
        ylabel="least of networks that keep\nall bounds (in units of its bound)",
        xlim=above.get_xlim(),
    )
    on_log_scale(below, x=False, y=True)
    if below.get_legend_handles_labels()[0]:
        legend_above(below, len(course.best))
    else:
        below.text(
            0.5, 0.5, "no network keeps every bound yet", ha="center", transform=below.transAxes
        )
    return drawing
