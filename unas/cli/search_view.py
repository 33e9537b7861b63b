# SPDX-License-Identifier: Apache-2.0
"""What a running search shows: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from unas.cli.output import note
from unas.cli.search_words import latency_word, value_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from unas.config import StudyConfig
    from unas.record import FinalTraining, Record
    from unas.study.watch import Status, Watcher

_A_SECOND = 4.0  # how often the live view is drawn


@contextlib.contextmanager
def watching(study: StudyConfig, *, quiet: bool) -> Iterator[Watcher]:
    """Show what happens while the block runs.

    Args:
        study: What runs.
        quiet: Only notes.
    """
    from unas.study.watch import Silence

    if quiet:
        yield Silence()
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
        note(f"{final.candidate_sha256[:12]} trained again, seed {final.training.seed}{tested}")

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

    def began(self, records: tuple[Record, ...], finals: tuple[FinalTraining, ...]) -> None:
        """Begin with what is known."""
        self._records = list(records)

    def record(self, record: Record) -> None:
        """Count it."""
        self._records.append(record)

    def final(self, final: FinalTraining) -> None:
        """Nothing: the status counts them."""

    def note(self, text: str) -> None:
        """Below the table."""
        self._notes.append(text)

    def status(self, status: Status) -> None:
        """For the next drawing."""
        self._status = status

    def drawing(self) -> RenderableType:
        """What is on the screen."""
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        for name, text in (
            *progress_lines(self._status, self._study),
            *best_lines(self._records, self._study),
        ):
            table.add_row(f"[bold]{name}[/bold]", text)
        for text in self._notes[-3:]:
            table.add_row("", text)
        return table


def record_line(record: Record, study: StudyConfig) -> str:
    """One record in one line."""
    words = [f"{record.index:>5}", f"{record.outcome:<10}"]
    for name in study.judged.bounds():
        if name in record.values:
            mark = "!" if name in record.violations else ""
            words.append(f"{value_text(name, record.values[name])}{mark}")
            if name == "latency_us":
                words[-1] += f" {latency_word(record)}"
    if record.cause is not None:
        words.append(f"({record.stage}: {record.cause})")
    return "  ".join(words)


def progress_lines(status: Status | None, study: StudyConfig) -> list[tuple[str, str]]:
    """(name, text): how far the study is, and how fast."""
    if status is None:
        return [(study.name, "beginning…")]
    search = study.search
    most = f" of {search.trainings}" if search.trainings else ""
    waiting = [f"{index} {what}" for index, what in sorted(status.open.items())]
    pace = 3600.0 * status.fresh / max(status.seconds, 1e-9)
    lines = [
        (
            study.name,
            f"{status.records} of {search.rounds} rounds, {status.trainings}{most} trained",
        ),
        ("pace", f"{pace:,.0f} candidates an hour, {_left(status, study)} left"),
        ("in flight", ", ".join(waiting) or "nothing"),
    ]
    if status.finals_wanted:
        lines.append(("front", f"{status.finals} of {status.finals_wanted} trained again"))
    if status.board_seconds:
        share = 100.0 * status.board_seconds / max(status.seconds, 1e-9)
        lines.append(("board", f"{share:.0f} % busy, latency model fitted again {status.fits}x"))
    return lines


def best_lines(records: list[Record], study: StudyConfig) -> list[tuple[str, str]]:
    """(name, text): outcomes, and the best feasible network for each bounded quantity."""
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


def _left(status: Status, study: StudyConfig) -> str:
    """Time that is left, from how fast it went so far."""
    search = study.search
    shares = [status.records / search.rounds]
    if search.trainings:
        shares.append(status.trainings / search.trainings)
    share, fresh = max(shares), status.fresh / max(status.records, 1)
    if not share or not fresh:
        return "unknown time"
    seconds = status.seconds * max(1.0 - share, 0.0) / (share * fresh)
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
