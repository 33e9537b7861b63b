# SPDX-License-Identifier: Apache-2.0
"""Search strategies compared over seeds: hypervolume after equal numbers of trainings."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unas.config import StrategyName
from unas.errors import StoreError
from unas.record.latency import MeanStd, mean_std
from unas.record.wording import mean_std_percent
from unas.report.study.convergence import convergence_of
from unas.report.style import BLUE, GREEN, GREY, RED, add_axes, legend_above, new_figure, save
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
        hypervolume: Shape (searches, trainings): share of the space below twice the bounds that
            the networks up to each training dominate.
        feasible_hypervolume: The same of the space below the bounds themselves.
        feasible: Number of feasible trained networks of each search.
    """

    strategy: str
    studies: tuple[str, ...]
    seeds: tuple[int, ...]
    hypervolume: NDArray[np.float64]
    feasible_hypervolume: NDArray[np.float64]
    feasible: tuple[int, ...]

    @property
    def trainings(self) -> int:
        """How many of each search are compared."""
        return int(self.hypervolume.shape[1])


def final_mean_std(curves: NDArray[np.float64]) -> MeanStd:
    """Mean and spread over the searches after their last training.

    Args:
        curves: Shape (searches, trainings).
    """
    return mean_std(curves[:, -1].tolist())


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
    curves, feasible = [], []
    for study in ordered:
        first = [record for record in study.records if record.training is not None][:count]
        curves.append(convergence_of(first, study.config))
        feasible.append(sum(record.feasible for record in first))
    return StrategyRuns(
        strategy,
        tuple(study.name for study in ordered),
        tuple(study.config.search.seed for study in ordered),
        np.array([one.hypervolume for one in curves], dtype=np.float64),
        np.array([one.feasible_hypervolume for one in curves], dtype=np.float64),
        tuple(feasible),
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
    settings = study.config.evaluation_settings()
    common = {k: v for k, v in settings["search"].items() if k not in (*_FREE, *_EVOLUTION)}
    return settings | {"search": common}


def _read_alone(study: StudyResults) -> dict[str, Any]:
    """The settings of its strategy."""
    search = study.config.search
    evolves = search.strategy is StrategyName.AGING_EVOLUTION
    return {name: getattr(search, name) for name in _EVOLUTION} if evolves else {}


def figure(runs: Sequence[StrategyRuns]) -> Figure:
    """Every search as a thin line, the strategies' means as thick ones, their range as a band.

    Above, the hypervolume within the bounds; below, up to twice the bounds.
    """
    drawing = new_figure(6.4, 5.2)
    above, below = (add_axes(drawing, 2, 1, row) for row in (1, 2))
    for number, one in enumerate(runs):
        colour = _COLOURS[number % len(_COLOURS)]
        within, twice = one.feasible_hypervolume, one.hypervolume
        _draw(above, within, f"{_name(one)}, {_final_text(within)}", colour)
        _draw(below, twice, _final_text(twice), colour)
    above.set(ylabel="hypervolume\n(% within the bounds)", ylim=(0, None))
    below.set(
        xlabel="trained candidates",
        ylabel="hypervolume\n(% up to twice the bounds)",
        ylim=(0, None),
    )
    for panel in (above, below):
        legend_above(panel, len(runs))
    return drawing


def _draw(panel: Axes, curves: NDArray[np.float64], label: str, colour: str) -> None:
    x, percent = np.arange(1, curves.shape[1] + 1), 100.0 * curves
    panel.fill_between(
        x, percent.min(0), percent.max(0), color=colour, alpha=0.15, linewidth=0, step="post"
    )
    for row in percent:
        panel.step(x, row, where="post", color=colour, linewidth=0.6, alpha=0.7)
    panel.step(x, percent.mean(0), where="post", color=colour, linewidth=2.0, label=label)


def _name(one: StrategyRuns) -> str:
    seeds = f"{len(one.seeds)} seeds" if len(one.seeds) > 1 else "1 seed"
    return f"{one.strategy.replace('_', ' ')}, {seeds}"


def _final_text(curves: NDArray[np.float64]) -> str:
    return mean_std_percent(final_mean_std(curves), digits=1)


def as_csv(runs: Sequence[StrategyRuns]) -> str:
    """One line a training and search: strategy, seed, study, training, both hypervolumes.

    The columns keep the names that published files have.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("strategy", "seed", "study", "training", "covered", "within"))
    for one in runs:
        rows = zip(one.seeds, one.studies, one.hypervolume, one.feasible_hypervolume, strict=True)
        for seed, study, *curves in rows:
            steps = zip(*(curve.tolist() for curve in curves), strict=True)
            for training, shares in enumerate(steps, start=1):
                texts = (f"{share:.6f}" for share in shares)
                writer.writerow((one.strategy, seed, study, training, *texts))
    return out.getvalue()


def write_comparison(runs: Sequence[StrategyRuns], stem: Path) -> tuple[Path, ...]:
    """Write figure and table: STEM.png, STEM.svg and STEM.csv.

    Args:
        runs: From ``compare_strategies``.
        stem: Path of the files without suffix; its folder is made where there is none.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    table = stem.with_name(f"{stem.name}.csv")
    table.write_text(as_csv(runs))
    return (*save(figure(runs), stem.parent, stem.name), table)
