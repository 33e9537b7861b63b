# SPDX-License-Identifier: Apache-2.0
"""Constraint decisions: networks that a latency model puts on the wrong side of a limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from unas.report.calibration.coverage import HeldOutTable, Vector, held_out, models_shown
from unas.report.style import (
    add_axes,
    colour,
    label,
    legend_above,
    new_figure,
    on_log_scale,
    origin,
    provenance,
)
from unas.store.calibration import Calibration

NAME = "decisions"
_STEPS = 101


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions by a model at one latency limit.

    Attributes:
        limit_us: The limit in microseconds.
        feasible: Number of networks within the limit.
        wrongly_accepted: Number of networks above the limit that are predicted to be within.
        wrongly_rejected: Number of networks within the limit that are predicted to be above.
        n: Number of networks.
    """

    limit_us: float
    feasible: int
    wrongly_accepted: int
    wrongly_rejected: int
    n: int


def decide(table: HeldOutTable, limit_us: float) -> Decisions:
    """Compare networks predicted within a limit with networks within it."""
    keeps = table.actual_us <= limit_us
    accepted = table.predicted_us <= limit_us
    return Decisions(
        limit_us=limit_us,
        feasible=int(keeps.sum()),
        wrongly_accepted=int((accepted & ~keeps).sum()),
        wrongly_rejected=int((keeps & ~accepted).sum()),
        n=len(keeps),
    )


def limits_of(table: HeldOutTable) -> Vector:
    """Limits in microseconds, from the fastest network to the slowest, in even ranks.

    A limit halfway between two networks: no network lies on one.
    """
    ordered = np.unique(table.actual_us)
    between: Vector = (ordered[1:] + ordered[:-1]) / 2 if len(ordered) > 1 else ordered
    picked = np.linspace(0, len(between) - 1, min(_STEPS, len(between))).round().astype(int)
    chosen: Vector = between[picked]
    return chosen


def figure(calibration: Calibration) -> Figure:
    """Wrong decisions over the limit: accepted above, rejected below.

    Raises:
        StoreError: There are no held-out predictions.
    """
    drawing = new_figure(6.4, 4.4)
    shown = models_shown(calibration)
    panels = (("wrongly accepted", 1), ("wrongly rejected", 2))
    kind = provenance(calibration)
    for what, index in panels:
        axes = add_axes(drawing, 2, 1, index)
        for model in shown:
            table = held_out(calibration, model)
            made = [decide(table, float(limit)) for limit in limits_of(table)]
            wrong = [one.wrongly_accepted if index == 1 else one.wrongly_rejected for one in made]
            axes.step(
                [one.limit_us / 1e3 for one in made],
                [100.0 * count / made[0].n for count in wrong],
                where="mid",
                color=colour(model),
                linewidth=1.4,
                label=f"{label(model)}: mean {100.0 * np.mean(wrong) / made[0].n:.1f} %",
            )
        on_log_scale(axes)
        axes.set_ylabel(f"{what}\n(% of {made[0].n} networks)")
        axes.set_ylim(0, None)
        legend_above(axes, len(shown))
    axes.set_xlabel(f"limit on the {kind} latency of one inference (ms)")
    drawing.suptitle(origin(calibration), fontsize=9, x=0.01, ha="left")
    return drawing
