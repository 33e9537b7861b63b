# SPDX-License-Identifier: Apache-2.0
"""All figures of a study, by name."""

from __future__ import annotations

from unas.report.figures import FigureSet
from unas.report.study import accuracy_latency, convergence, fronts
from unas.store.study_folder import StudyResults

_MODULES = (fronts, convergence, accuracy_latency)
FIGURES: FigureSet[StudyResults] = FigureSet({module.NAME: module.figure for module in _MODULES})
draw, figures_of = FIGURES.draw, FIGURES.available
