# SPDX-License-Identifier: Apache-2.0
"""All figures of a study, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from unas.errors import StoreError
from unas.report.study import accuracy_latency, convergence, fronts
from unas.report.style import save
from unas.store.study_folder import StudyResults

FIGURES: dict[str, Callable[[StudyResults], Figure]] = {
    module.NAME: module.figure for module in (fronts, convergence, accuracy_latency)
}


def draw(study: StudyResults, folder: Path, name: str) -> tuple[Path, Path]:
    """Draw one figure as PNG and SVG.

    Args:
        study: What to show.
        folder: Where to put the files.
        name: A key of ``FIGURES``; stem of the files.

    Raises:
        StoreError: The study does not hold what the figure shows.
    """
    return save(FIGURES[name](study), folder, name)


def figures_of(study: StudyResults) -> dict[str, Figure]:
    """Every figure for which the study holds the data, by name."""
    found = {}
    for name, figure in FIGURES.items():
        try:
            found[name] = figure(study)
        except StoreError:  # nothing to show: a young study, or one without latencies
            continue
    return found
