# SPDX-License-Identifier: Apache-2.0
"""Search strategies compared: what each covers after equal numbers of trainings, over seeds."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unas.config import StrategyName
from unas.errors import StoreError
from unas.report.study.convergence import course_of
from unas.report.study.repeated_trainings import MeanStd, mean_std
from unas.report.style import BLUE, GREEN, GREY, RED, add_axes, legend_above, new_figure
from unas.store.study_folder import StudyResults

_COLOURS = (BLUE, RED, GREEN, GREY)
# What may differ between studies that are compared.
_FREE = ("strategy", "seed")
# What only aging evolution reads: one baseline serves evolution with any settings.
_EVOLUTION = ("population", "sample", "initial", "sparsity_step", "cap")


@dataclass(frozen=True, slots=True, eq=False)
class StrategyRuns:
    """One strategy's searches.

    Attributes:
        strategy: Its name.
        studies: Names of the searches.
        seeds: Their seeds.
        covered: Shape (searches, trainings): share of the space below twice the bounds that the
            networks up to each training dominate.
        within: The same of the space below the bounds themselves.
        kept: Of each search, trained networks that keep every bound.
    """

    strategy: str
    studies: tuple[str, ...]
    seeds: tuple[int, ...]
    covered: NDArray[np.float64]
    within: NDArray[np.float64]
    kept: tuple[int, ...]

    @property
    def trainings(self) -> int:
        """How many of each search are compared."""
        return int(self.covered.shape[1])


def at_the_end(course: NDArray[np.float64]) -> MeanStd:
    """Over the searches, when all have had their trainings.

    Args:
        course: Shape (searches, trainings).
    """
    return mean_std(course[:, -1].tolist())


def compare_strategies(
    studies: Sequence[StudyResults], trainings: int | None = None
) -> list[StrategyRuns]:
    """Put searches of one study together by strategy, cut to equal numbers of trainings.

    Args:
        studies: Searches that differ in strategy and seed only.
        trainings: How many of each to look at; None: as many as the shortest has.

    Raises:
        StoreError: They are searches of different studies, one is there twice, or one is shorter.
    """
    _check_alike(studies)
    known = {study.name: _trained(study) for study in studies}
    shortest = min(known, key=lambda name: known[name])
    count = known[shortest] if trainings is None else trainings
    if not 1 <= count <= known[shortest]:
        raise StoreError(
            f"{shortest} has {known[shortest]} trained networks, not {count}; let it go on with "
            "'unas-hil search … --resume', or compare fewer"
        )
    names = sorted({study.config.search.strategy for study in studies})
    return [
        _runs(str(name), [s for s in studies if s.config.search.strategy == name], count)
        for name in names
    ]


def _runs(strategy: str, studies: Sequence[StudyResults], count: int) -> StrategyRuns:
    ordered = sorted(studies, key=lambda study: study.config.search.seed)
    covered, within, kept = [], [], []
    for study in ordered:
        first = [record for record in study.records if record.training is not None][:count]
        course = course_of(first, study.config)
        covered.append(course.covered)
        within.append(course.within)
        kept.append(sum(record.feasible for record in first))
    return StrategyRuns(
        strategy,
        tuple(study.name for study in ordered),
        tuple(study.config.search.seed for study in ordered),
        np.array(covered, dtype=np.float64),
        np.array(within, dtype=np.float64),
        tuple(kept),
    )


def _trained(study: StudyResults) -> int:
    return sum(record.training is not None for record in study.records)


def _check_alike(studies: Sequence[StudyResults]) -> None:
    seen: dict[tuple[str, int], str] = {}
    peers: dict[str, StudyResults] = {}
    for study in studies:
        search = study.config.search
        key = (str(search.strategy), search.seed)
        if key in seen:
            raise StoreError(
                f"{seen[key]} and {study.name} are both {key[0]} with seed {key[1]}; a search "
                "counts once, give another seed"
            )
        seen[key] = study.name
        peer = peers.setdefault(key[0], study)
        if _common(study) != _common(studies[0]) or _read_alone(study) != _read_alone(peer):
            other = studies[0] if _common(study) != _common(studies[0]) else peer
            raise StoreError(
                f"{study.name} and {other.name} are not searches of one study: more than "
                f"{' and '.join(_FREE)} differ; compare the two study.toml"
            )


def _common(study: StudyResults) -> dict[str, Any]:
    """What any two of the studies must have in common."""
    judging = study.config.judging()
    kept = {k: v for k, v in judging["search"].items() if k not in (*_FREE, *_EVOLUTION)}
    return judging | {"search": kept}


def _read_alone(study: StudyResults) -> dict[str, Any]:
    """The settings of its strategy."""
    search = study.config.search
    evolves = search.strategy is StrategyName.AGING_EVOLUTION
    return {name: getattr(search, name) for name in _EVOLUTION} if evolves else {}


def figure(runs: Sequence[StrategyRuns]) -> Figure:
    """Every search as a thin line, the strategies' means as thick ones, their range as a band.

    Above, what is covered within the bounds; below, up to twice the bounds.
    """
    drawing = new_figure(6.4, 5.2)
    above, below = (add_axes(drawing, 2, 1, row) for row in (1, 2))
    for number, one in enumerate(runs):
        colour = _COLOURS[number % len(_COLOURS)]
        _draw(above, one.within, f"{_name(one)}, {_told(one.within)}", colour)
        _draw(below, one.covered, _told(one.covered), colour)
    above.set(ylabel="covered hypervolume\n(% within the bounds)", ylim=(0, None))
    below.set(
        xlabel="trained candidates",
        ylabel="covered hypervolume\n(% up to twice the bounds)",
        ylim=(0, None),
    )
    for panel in (above, below):
        legend_above(panel, len(runs))
    return drawing


def _draw(panel: Axes, course: NDArray[np.float64], label: str, colour: str) -> None:
    x, percent = np.arange(1, course.shape[1] + 1), 100.0 * course
    panel.fill_between(
        x, percent.min(0), percent.max(0), color=colour, alpha=0.15, linewidth=0, step="post"
    )
    for row in percent:
        panel.step(x, row, where="post", color=colour, linewidth=0.6, alpha=0.7)
    panel.step(x, percent.mean(0), where="post", color=colour, linewidth=2.0, label=label)


def _name(one: StrategyRuns) -> str:
    seeds = f"{len(one.seeds)} seeds" if len(one.seeds) > 1 else "1 seed"
    return f"{one.strategy.replace('_', ' ')}, {seeds}"


def _told(course: NDArray[np.float64]) -> str:
    found = at_the_end(course)
    deviation = f" ± {100 * found.deviation:.1f}" if found.n > 1 else ""
    return f"{100 * found.mean:.1f}{deviation} %"


def as_csv(runs: Sequence[StrategyRuns]) -> str:
    """One line a training and search: strategy, seed, study, training, shares covered."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("strategy", "seed", "study", "training", "covered", "within"))
    for one in runs:
        rows = zip(one.seeds, one.studies, one.covered, one.within, strict=True)
        for seed, study, *courses in rows:
            steps = zip(*(course.tolist() for course in courses), strict=True)
            for training, shares in enumerate(steps, start=1):
                texts = (f"{share:.6f}" for share in shares)
                writer.writerow((one.strategy, seed, study, training, *texts))
    return out.getvalue()
