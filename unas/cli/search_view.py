# SPDX-License-Identifier: Apache-2.0
"""What a running search shows: a live table on a terminal, plain lines elsewhere.

How far a running search is, in words: lines of the live view.
"""

from __future__ import annotations

import contextlib
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from unas.cli.output import note
from unas.cli.search_output import latency_word, value_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from unas.config import StudyConfig
    from unas.record import FinalTraining, Record, TrainingResult
    from unas.study.observer import Status, StudyObserver

_A_SECOND = 4.0  # how often the live view is drawn


@contextlib.contextmanager
def watching(study: StudyConfig, *, quiet: bool) -> Iterator[StudyObserver]:
    """Show what happens while the block runs.

    Args:
        study: What runs.
        quiet: Only notes.
    """
    from unas.study.observer import NullObserver

    if quiet:
        yield NullObserver()
    elif not sys.stderr.isatty():
        yield Lines(study)
    else:
        from rich.console import Console
        from rich.live import Live

        view = LiveView(study)
        live = Live(
            get_renderable=view.drawing,
            console=Console(stderr=True),
            refresh_per_second=_A_SECOND,
            transient=True,
        )
        with live:
            yield view


class Lines:
    """A line for each candidate that cost something; the others are counted."""

    def __init__(self, study: StudyConfig) -> None:
        self._study = study
        self._cheap = 0

    def began(self, records: tuple[Record, ...], finals: tuple[FinalTraining, ...]) -> None:
        """How much there is already."""
        if records:
            note(f"going on after {len(records)} records and {len(finals)} final trainings")

    def record(self, record: Record) -> None:
        """One line, unless it was turned away before anything was trained."""
        if record.training is None and record.cause is None:
            self._cheap += 1
            return
        if self._cheap:
            note(f"{self._cheap} infeasible without training")
            self._cheap = 0
        note(record_line(record, self._study))

    def final(self, final: FinalTraining) -> None:
        """One line."""
        error = final.training.test_error
        tested = "" if error is None else f", test error {100 * error:.2f} %"
        told = f", {final.cause}" if final.diverged else tested
        note(f"{final.candidate_sha256[:12]} trained again, seed {final.training.seed}{told}")

    def note(self, text: str) -> None:
        """As it is."""
        note(text)

    def status(self, status: Status) -> None:
        """Nothing: lines are for what happened."""


class LiveView:
    """A table that is drawn anew several times a second."""

    def __init__(self, study: StudyConfig) -> None:
        self._study = study
        self._records: list[Record] = []
        self._status: Status | None = None
        self._notes: list[str] = []
        self._earlier: list[float] = []  # seconds of trainings, of runs before this one
        self._trained: list[float] = []  # likewise, of this one

    def began(self, records: tuple[Record, ...], finals: tuple[FinalTraining, ...]) -> None:
        """Begin with what is known."""
        self._records = list(records)
        results = [r.training for r in records] + [final.training for final in finals]
        self._earlier = [seconds for result in results for seconds in _whole(result)]

    def record(self, record: Record) -> None:
        """Count it."""
        self._records.append(record)
        self._trained += _whole(record.training)

    def final(self, final: FinalTraining) -> None:
        """Only how long it took: the status counts them."""
        self._trained += _whole(final.training)

    def note(self, text: str) -> None:
        """Below the table."""
        self._notes.append(text)

    def status(self, status: Status) -> None:
        """For the next drawing."""
        self._status = status

    def drawing(self) -> RenderableType:
        """What is on the screen."""
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for name, text in (
            *progress_lines(self._status, self._study, self._trained or self._earlier),
            *best_lines(self._records, self._study),
        ):
            table.add_row(Text(name, style="bold"), Text(text))
        for text in self._notes[-3:]:
            table.add_row("", Text(text))  # what files and errors say is no markup
        return table


def record_line(record: Record, study: StudyConfig) -> str:
    """One record in one line."""
    words = [f"{record.index:>5}", f"{record.outcome:<13}"]
    for name in study.judged.bounds():
        if name in record.values:
            mark = "!" if name in record.violations else ""
            words.append(f"{value_text(name, record.values[name])}{mark}")
            if name == "latency_us":
                words[-1] += f" {latency_word(record)}"
    if record.cause is not None:
        words.append(f"({record.stage}: {record.cause})")
    return "  ".join(words)


def _whole(training: TrainingResult | None) -> list[float]:
    """The seconds of a training that went to its end: one number, or none."""
    return [training.seconds] if training is not None and training.val_error is not None else []


_PLines = list[tuple[str, str]]
"""(name, text) of each."""


def progress_lines(
    status: Status | None, study: StudyConfig, training_seconds: Sequence[float] = ()
) -> _PLines:
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


def best_lines(records: list[Record], study: StudyConfig) -> _PLines:
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
