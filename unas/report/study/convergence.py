# SPDX-License-Identifier: Apache-2.0
"""Convergence of a search: hypervolume and best feasible networks over its trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unas.config import StudyConfig
from unas.errors import StoreError
from unas.record import Outcome, Record
from unas.record.wording import quantity_name
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
from unas.store.study_folder import StudyResults
from unas.strategies.pareto import hypervolume

NAME = "convergence"
_COLOURS = {
    "error": BLUE,
    "peak_memory_bytes": GREEN,
    "model_size_bytes": RED,
    "macs": "#7b5aa6",
    "latency_us": "#7b5aa6",
}


@dataclass(frozen=True, slots=True)
class Convergence:
    """A search, training by training.

    Attributes:
        trainings: 1, 2, … for each trained candidate.
        hypervolume: Share of the space below twice the bounds that the networks up to each
            training dominate.
        feasible_hypervolume: The same of the space below the bounds: only feasible networks count.
        best: Minimum of each bounded quantity over the feasible networks so far, in units of its
            bound; None as long as there is none.
    """

    trainings: tuple[int, ...]
    hypervolume: tuple[float, ...]
    feasible_hypervolume: tuple[float, ...]
    best: dict[str, tuple[float | None, ...]]


def convergence_of(records: Sequence[Record], config: StudyConfig) -> Convergence:
    """Follow a search in the order in which its records came."""
    bounds = config.judged.bounds()
    scale = np.array(list(bounds.values()))
    twice, once = _Hypervolume(len(bounds), 2.0), _Hypervolume(len(bounds), 1.0)
    shares, feasible_shares = list[float](), list[float]()
    best: dict[str, list[float | None]] = {name: [] for name in bounds}
    trained = [record for record in records if record.training is not None]
    for record in trained:
        if record.outcome is Outcome.COMPLETE and bounds.keys() <= record.values.keys():
            point = np.array([record.values[name] for name in bounds]) / scale
            twice.add(point)
            once.add(point)
        shares.append(twice.share)
        feasible_shares.append(once.share)
        for name, bound in bounds.items():
            before = best[name][-1] if best[name] else None
            value = record.values[name] / bound if record.feasible else None
            known = [one for one in (before, value) if one is not None]
            best[name].append(min(known) if known else None)
    return Convergence(
        tuple(range(1, len(trained) + 1)),
        tuple(shares),
        tuple(feasible_shares),
        {name: tuple(values) for name, values in best.items()},
    )


class _Hypervolume:
    """How much of a cube a growing set of points dominates; as ``covered_share`` computes it."""

    def __init__(self, axes: int, reach: float) -> None:
        self._corner, self._whole = np.full(axes, reach), reach**axes
        self._front, self._volume = np.empty((0, axes)), 0.0

    @property
    def share(self) -> float:
        """Dominated share of the cube: 0 without a point, always below 1."""
        return self._volume / self._whole

    def add(self, point: NDArray[np.float64]) -> None:
        """Add a point's box less what the others dominate of it: cheaper than adding up all."""
        front, corner = self._front, self._corner
        if (point >= corner).any() or (front <= point).all(axis=1).any():
            return
        common = hypervolume(np.maximum(front, point), corner.tolist())
        self._volume += float(np.prod(corner - point)) - common
        self._front = np.vstack([front[~(point <= front).all(axis=1)], point])


def figure(study: StudyResults) -> Figure:
    """Hypervolume above, the best feasible networks below.

    Raises:
        StoreError: Nothing was trained.
    """
    convergence = convergence_of(study.records, study.config)
    if not convergence.trainings:
        raise StoreError(f"in {study.name} no candidate was trained yet; let the search go on")
    drawing = new_figure(6.4, 4.8)
    above, below = add_axes(drawing, 2, 1, 1), add_axes(drawing, 2, 1, 2)
    above.step(
        convergence.trainings, [100.0 * share for share in convergence.hypervolume],
        where="post", color=BLUE, linewidth=1.4,
    )  # fmt: skip
    above.set(ylabel="hypervolume\n(% up to twice the bounds)", ylim=(0, None))
    above.set_title(
        f"{study.name}: {study.config.search.strategy}, seed {study.config.search.seed}, "
        f"{len(study.records)} candidates",
        fontsize=9,
        loc="left",
    )
    _draw_best(below, convergence)
    below.set(xlim=above.get_xlim())
    return drawing


def _draw_best(panel: Axes, convergence: Convergence) -> None:
    """The minimum of each bounded quantity over the feasible networks so far."""
    for name, values in convergence.best.items():
        pairs = zip(convergence.trainings, values, strict=True)
        known = [(training, value) for training, value in pairs if value is not None]
        if known:
            x, y = zip(*known, strict=True)
            panel.step(
                x, y, where="post", color=_COLOURS[name], linewidth=1.4, label=quantity_name(name)
            )
    panel.axhline(1.0, color=GREY, linewidth=0.9, linestyle=(0, (4, 3)))
    panel.set(
        xlabel="trained candidates",
        ylabel="minimum of feasible networks\n(in units of its bound)",
    )
    on_log_scale(panel, x=False, y=True)
    if panel.get_legend_handles_labels()[0]:
        legend_above(panel, len(convergence.best))
    else:
        panel.text(0.5, 0.5, "no feasible network yet", ha="center", transform=panel.transAxes)
