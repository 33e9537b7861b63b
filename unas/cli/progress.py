# SPDX-License-Identifier: Apache-2.0
"""What running commands show: bars of a calibration, a live table or plain lines of a search."""

from __future__ import annotations

import contextlib
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from unas.cli.output import note
from unas.record.latency import latency_provenance
from unas.record.wording import column_text, percent, quantity_name

if TYPE_CHECKING:
    from unas.calibration.active import Round
    from unas.calibration.run import CalibrationProgress
    from unas.config import StudyConfig
    from unas.record import FinalTraining, Record, TrainingResult
    from unas.study.observer import Status, StudyObserver

_DRAWN_A_SECOND = 4.0  # how often the live view is drawn
NamedLines = list[tuple[str, str]]
"""(name, text) of each line of the live view."""


class CalibrationBars:
    """The progress of a calibration: one bar a stage, on standard error; a context manager."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[stored]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}
        self._stored: dict[str, int] = {}

    def __enter__(self) -> CalibrationBars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @property
    def progress(self) -> CalibrationProgress:
        """What a calibration is to call."""
        from unas.calibration.run import CalibrationProgress

        return CalibrationProgress(self.stage, self.result, self.round, note)

    def stage(self, name: str, done: int, total: int) -> None:
        """Show how far a stage is."""
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total, stored="")
        self._bars.update(self._tasks[name], completed=done, total=total)

    def result(self, kind: str, stored: bool, done: int, total: int) -> None:
        """Show that a network or kernel was measured, or came from the store."""
        self._stored[kind] = self._stored.get(kind, 0) + stored
        name = f"measuring {kind}"
        self.stage(name, done, total)
        if self._stored[kind]:
            self._bars.update(self._tasks[name], stored=f"{self._stored[kind]} from store")

    def round(self, one: Round) -> None:
        """Print a line about a round of active sampling."""
        self._bars.console.print(
            f"{one.networks} networks and {one.kernels} kernels: held-out networks "
            f"{one.mape_percent:.2f} % off, {one.within_10_percent:.0f} % within ±10 %; "
            f"least sure: {one.families[0].family}",
            highlight=False,
        )


@contextlib.contextmanager
def show_search(study: StudyConfig, *, quiet: bool) -> Iterator[StudyObserver]:
    """Show the progress of a search while the block runs.

    Args:
        study: What runs.
        quiet: Show nothing.
    """
    from unas.study.observer import NullObserver

    if quiet:
        yield NullObserver()
    elif not sys.stderr.isatty():
        yield SearchLines(study)
    else:
        view = SearchView(study)
        live = Live(
            get_renderable=view.drawing,
            console=Console(stderr=True),
            refresh_per_second=_DRAWN_A_SECOND,
            transient=True,
        )
        with live:
            yield view


class SearchLines:
    """A line for each candidate that was trained or failed; the others are counted."""

    def __init__(self, study: StudyConfig) -> None:
        self._study = study
        self._cheap = 0

    def began(self, records: tuple[Record, ...], finals: tuple[FinalTraining, ...]) -> None:
        """Say how much an earlier run did."""
        if records:
            note(f"resuming after {len(records)} records and {len(finals)} final trainings")

    def record(self, record: Record) -> None:
        """Print one line, unless it was infeasible before anything was trained."""
        if record.training is None and record.cause is None:
            self._cheap += 1
            return
        if self._cheap:
            note(f"{self._cheap} infeasible without training")
            self._cheap = 0
        note(record_line(record, self._study))

    def final(self, final: FinalTraining) -> None:
        """Print one line."""
        error = final.training.test_error
        tested = "" if error is None else f", test error {percent(error)}"
        result = f", {final.cause}" if final.diverged else tested
        network, seed = final.candidate_sha256[:12], final.training.seed
        note(f"{network} repeated training, seed {seed}{result}")

    def note(self, text: str) -> None:
        """Print it."""
        note(text)

    def status(self, status: Status) -> None:
        """Print nothing: there is a line for each result."""


class SearchView:
    """A table that is drawn anew several times a second."""

    def __init__(self, study: StudyConfig) -> None:
        self._study = study
        self._records: list[Record] = []
        self._status: Status | None = None
        self._notes: list[str] = []
        self._earlier: list[float] = []  # seconds of trainings, of runs before this one
        self._trained: list[float] = []  # likewise, of this one

    def began(self, records: tuple[Record, ...], finals: tuple[FinalTraining, ...]) -> None:
        """Take over what an earlier run found."""
        self._records = list(records)
        results = [r.training for r in records] + [final.training for final in finals]
        self._earlier = [seconds for result in results for seconds in _whole(result)]

    def record(self, record: Record) -> None:
        """Count a record."""
        self._records.append(record)
        self._trained += _whole(record.training)

    def final(self, final: FinalTraining) -> None:
        """Note how long the training took; the status counts them."""
        self._trained += _whole(final.training)

    def note(self, text: str) -> None:
        """Show a remark below the table."""
        self._notes.append(text)

    def status(self, status: Status) -> None:
        """Keep the status for the next drawing."""
        self._status = status

    def drawing(self) -> Table:
        """The table as it is now."""
        table = Table.grid(padding=(0, 2))
        for name, text in (
            *progress_lines(self._status, self._study, self._trained or self._earlier),
            *best_lines(self._records, self._study),
        ):
            table.add_row(Text(name, style="bold"), Text(text))
        for text in self._notes[-3:]:
            table.add_row("", Text(text))  # text of files and errors is no markup
        return table


def record_line(record: Record, study: StudyConfig) -> str:
    """One record in one line."""
    words = [f"{record.index:>5}", f"{record.outcome:<13}"]
    for name in study.judged.bounds():
        if name in record.values:
            mark = "!" if name in record.violations else ""
            words.append(f"{column_text(name, record.values[name])}{mark}")
            if name == "latency_us":
                words[-1] += f" {latency_provenance(record)}"
    if record.cause is not None:
        words.append(f"({record.stage}: {record.cause})")
    return "  ".join(words)


def _whole(training: TrainingResult | None) -> list[float]:
    """The seconds of a training that went to its end: one number, or none."""
    return [training.seconds] if training is not None and training.val_error is not None else []


def progress_lines(
    status: Status | None, study: StudyConfig, training_seconds: Sequence[float] = ()
) -> NamedLines:
    """How far the study is, and how fast.

    Args:
        status: The last one; None before the first.
        study: What runs.
        training_seconds: Of single trainings that are done: what the final ones will take, too.
    """
    if status is None:
        return [(study.name, "starting…")]
    search = study.search
    limit = f" of {search.trainings}" if search.trainings else ""
    done = f"{status.records} of {search.rounds} rounds, {status.trainings}{limit} trained"
    waiting = [f"{index} {what}" for index, what in sorted(status.open.items())]
    lines = [
        (study.name, done),
        _finals_line(status, search.workers, training_seconds)
        if status.finals_wanted
        else _search_line(status, study),
        ("in flight", ", ".join(waiting) or "nothing"),
    ]
    return [*lines, _board_line(status, study)] if _has_board(study) else lines


def best_lines(records: list[Record], study: StudyConfig) -> NamedLines:
    """Outcomes, and the best feasible network for each bounded quantity."""
    from unas.strategies.progress import best_feasible, count_outcomes

    counts = count_outcomes(records)
    lines = [("outcomes", ", ".join(f"{n} {name}" for name, n in counts.items() if n))]
    for name in study.judged.bounds():
        best = best_feasible(records, name, study.judged)
        if best is None:
            return [*lines, ("best", "no feasible network yet")]
        origin = f" {latency_provenance(best)}" if name == "latency_us" else ""
        value = f"{column_text(name, best.values[name])}{origin}"
        text = f"{value}, network {best.candidate.short_id}"
        lines.append((f"best {quantity_name(name)}", text))
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
    then = ", then repeated trainings" if search.final_seeds else ""
    return "pace", f"{pace:,.0f} candidates an hour, {left} left{then}"


def _finals_line(
    status: Status, workers: int, training_seconds: Sequence[float]
) -> tuple[str, str]:
    """The search is over: repeated trainings of its front, and the time for the rest."""
    left = "unknown time"
    if status.finals >= status.finals_wanted:
        left = _time(0.0)
    elif training_seconds:
        # The last ones do not fill all workers, but take as long as if they did.
        turns = math.ceil((status.finals_wanted - status.finals) / workers)
        left = _time(turns * statistics.fmean(training_seconds))
    return "front", f"{status.finals} of {status.finals_wanted} repeated trainings, {left} left"


def _board_line(status: Status, study: StudyConfig) -> tuple[str, str]:
    from unas.config import LatencyMode

    text = f"{100.0 * status.board_seconds / max(status.seconds, 1e-9):.0f} % busy"
    if study.latency.mode is LatencyMode.PREDICTED:
        text += f", latency model refitted {status.fits} times"
    return "board", text


def _has_board(study: StudyConfig) -> bool:
    from unas.config import LatencyMode

    mode = study.latency.mode
    return mode is LatencyMode.MEASURED or (mode is LatencyMode.PREDICTED and study.latency.ask)


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
