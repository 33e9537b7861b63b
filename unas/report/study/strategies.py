# SPDX-License-Identifier: Apache-2.0
"""Search strategies compared: what each covers after equal numbers of trainings, over seeds."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unas.errors import StoreError
from unas.report.study.convergence import course_of
from unas.report.style import BLUE, GREEN, GREY, RED, add_axes, legend_above, new_figure
from unas.store.study import StudyResults

_COLOURS = (BLUE, RED, GREEN, GREY)
# What may differ between studies that are compared.
_FREE = ("strategy", "seed")


@dataclass(frozen=True, slots=True, eq=False)
class StrategyRuns:
    """One strategy's searches.

    Attributes:
        strategy: Its name.
        studies: Names of the searches.
        seeds: Their seeds.
        covered: Shape (searches, trainings): share of the space below twice the bounds that the
            networks up to each training dominate.
        kept: Of each search, trained networks that keep every bound.
    """

    strategy: str
    studies: tuple[str, ...]
    seeds: tuple[int, ...]
    covered: NDArray[np.float64]
    kept: tuple[int, ...]

    @property
    def trainings(self) -> int:
        """How many of each search are compared."""
        return int(self.covered.shape[1])

    @property
    def final(self) -> NDArray[np.float64]:
        """Covered share at the end, one number a search."""
        return self.covered[:, -1]

    @property
    def spread(self) -> float:
        """Standard deviation of ``final`` over the seeds (n - 1); 0 of a single search."""
        return float(self.final.std(ddof=1)) if len(self.final) > 1 else 0.0


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
    covered, kept = [], []
    for study in ordered:
        first = [record for record in study.records if record.training is not None][:count]
        covered.append(course_of(first, study.config).covered)
        kept.append(sum(record.feasible for record in first))
    return StrategyRuns(
        strategy,
        tuple(study.name for study in ordered),
        tuple(study.config.search.seed for study in ordered),
        np.array(covered, dtype=np.float64),
        tuple(kept),
    )


def _trained(study: StudyResults) -> int:
    return sum(record.training is not None for record in study.records)


def _check_alike(studies: Sequence[StudyResults]) -> None:
    seen: dict[tuple[str, int], str] = {}
    for study in studies:
        search = study.config.search
        key = (str(search.strategy), search.seed)
        if key in seen:
            raise StoreError(
                f"{seen[key]} and {study.name} are both {key[0]} with seed {key[1]}; a search "
                "counts once, give another seed"
            )
        seen[key] = study.name
        if _common(study) != _common(studies[0]):
            raise StoreError(
                f"{study.name} and {studies[0].name} are not searches of one study: more than "
                f"{' and '.join(_FREE)} differ; compare the two study.toml"
            )


def _common(study: StudyResults) -> dict[str, Any]:
    judging = study.config.judging()
    search = {k: v for k, v in judging["search"].items() if k not in _FREE}
    return judging | {"search": search}


def figure(runs: Sequence[StrategyRuns]) -> Figure:
    """Every search as a thin line, the strategies' means as thick ones, their range as a band."""
    drawing = new_figure(6.4, 3.6)
    panel = add_axes(drawing)
    for number, one in enumerate(runs):
        colour = _COLOURS[number % len(_COLOURS)]
        x = np.arange(1, one.trainings + 1)
        percent = 100.0 * one.covered
        panel.fill_between(
            x, percent.min(0), percent.max(0), color=colour, alpha=0.15, linewidth=0, step="post"
        )
        for row in percent:
            panel.step(x, row, where="post", color=colour, linewidth=0.6, alpha=0.7)
        panel.step(x, percent.mean(0), where="post", color=colour, linewidth=2.0, label=_told(one))
    panel.set(
        xlabel="trained candidates",
        ylabel="covered hypervolume\n(% up to twice the bounds)",
        ylim=(0, None),
    )
    legend_above(panel, len(runs))
    return drawing


def _told(one: StrategyRuns) -> str:
    name = one.strategy.replace("_", " ")
    seeds = f"{len(one.seeds)} seeds" if len(one.seeds) > 1 else "1 seed"
    spread = f" ± {100 * one.spread:.1f}" if len(one.seeds) > 1 else ""
    return f"{name}, {seeds}: {100 * one.final.mean():.1f}{spread} %"


def as_csv(runs: Sequence[StrategyRuns]) -> str:
    """One line a training and search: strategy, seed, study, training, covered share."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("strategy", "seed", "study", "training", "covered"))
    for one in runs:
        for seed, study, row in zip(one.seeds, one.studies, one.covered, strict=True):
            for training, share in enumerate(row.tolist(), start=1):
                writer.writerow((one.strategy, seed, study, training, f"{share:.6f}"))
    return out.getvalue()
