# SPDX-License-Identifier: Apache-2.0
"""All figures of a calibration, by name.

Measurements made elsewhere may have no arena and no cycles of operators: figures of these are then
left out.
"""

from __future__ import annotations

from unas.report.calibration import (
    arena,
    coverage,
    decisions,
    latency_model,
    mac_vs_latency,
    operator_errors,
)
from unas.report.figures import FigureSet
from unas.store.calibration import Calibration

_MODULES = (mac_vs_latency, latency_model, operator_errors, decisions, coverage, arena)
FIGURES: FigureSet[Calibration] = FigureSet({module.NAME: module.figure for module in _MODULES})
draw, draw_all = FIGURES.draw, FIGURES.draw_all
