# SPDX-License-Identifier: Apache-2.0
"""How far a running search is, in words: lines of the live view."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from unas.cli.search_words import latency_word, value_text

if TYPE_CHECKING:
    from unas.config import StudyConfig
    from unas.record import Record
    from unas.study.watch import Status

Lines = list[tuple[str, str]]
"""(name, text) of each."""


def progress_lines(
    status: Status | None, study: StudyConfig, training_seconds: Sequence[float] = ()
) -> Lines:
    """How far the study is, and how fast.

    Args:
        status: The last one; None before the first.
        study: What runs.
        training_seconds: Of single trainings that are done: what the final ones will take, too.
    """
    if status is None:
        return [(study.name, "beginning…")]
    search = study.search
    most = f" of {search.trainings}" if search.trainings else ""
    told = f"{status.records} of {search.rounds} rounds, {status.trainings}{most} trained"
    waiting = [f"{index} {what}" for index, what in sorted(status.open.items())]
    lines = [
        (study.name, told),
        _finals_line(status, search.workers, training_seconds)
        if status.finals_wanted
        else _search_line(status, study),
        ("in flight", ", ".join(waiting) or "nothing"),
    ]
    return [*lines, _board_line(status, study)] if _has_board(study) else lines


def best_lines(records: list[Record], study: StudyConfig) -> Lines:
    """Outcomes, and the best feasible network for each bounded quantity."""
    from unas.search.progress import best_feasible, count_outcomes

    counts = count_outcomes(records)
    lines = [("outcomes", ", ".join(f"{n} {name}" for name, n in counts.items() if n))]
    for name in study.judged.bounds():
        best = best_feasible(records, name, study.judged)
        if best is None:
            return [*lines, ("best", "none keeps every bound yet")]
        word = f" {latency_word(best)}" if name == "latency_us" else ""
        text = f"{value_text(name, best.values[name])}{word}, network {best.candidate.short_id}"
        lines.append((f"best {name.removesuffix('_us').removesuffix('_bytes')}", text))
    return lines


def _search_line(status: Status, study: StudyConfig) -> tuple[str, str]:
    """Candidates an hour, and the time that is left of the search at this pace."""
    search = study.search
    pace = 3600.0 * status.fresh / max(status.seconds, 1e-9)
    shares = [status.records / search.rounds]
    if search.trainings:
        shares.append(status.trainings / search.trainings)
    share, fresh = max(shares), status.fresh / max(status.records, 1)
    left = "unknown time"
    if share and fresh:
        left = _time(status.seconds * max(1.0 - share, 0.0) / (share * fresh))
    then = ", then final trainings" if search.final_seeds else ""
    return "pace", f"{pace:,.0f} candidates an hour, {left} left{then}"


def _finals_line(
    status: Status, workers: int, training_seconds: Sequence[float]
) -> tuple[str, str]:
    """The search is over: how many of its networks are trained again, and the time for the rest."""
    left = "unknown time"
    if status.finals >= status.finals_wanted:
        left = _time(0.0)
    elif training_seconds:
        # The last ones do not fill all workers, but take as long as if they did.
        turns = math.ceil((status.finals_wanted - status.finals) / workers)
        left = _time(turns * statistics.fmean(training_seconds))
    return "front", f"{status.finals} of {status.finals_wanted} trained again, {left} left"


def _board_line(status: Status, study: StudyConfig) -> tuple[str, str]:
    from unas.config import LatencyMode

    text = f"{100.0 * status.board_seconds / max(status.seconds, 1e-9):.0f} % busy"
    if study.latency.mode is LatencyMode.PREDICTED:
        text += f", latency model fitted again {status.fits}x"
    return "board", text


def _has_board(study: StudyConfig) -> bool:
    from unas.config import LatencyMode

    mode = study.latency.mode
    return mode is LatencyMode.MEASURED or (mode is LatencyMode.PREDICTED and study.latency.ask)


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
