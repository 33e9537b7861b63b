# SPDX-License-Identifier: Apache-2.0
"""What ``unas-hil calibrate`` shows: progress, rounds, tables."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from unas.calibrate.active import Round
from unas.calibrate.measuring import Effort
from unas.cli.output import note, print_json, print_table
from unas.store.calibration import CalibrationResults, quality_to_json_dict


class Watch:
    """One bar a stage, on standard error; a context manager."""

    def __init__(self) -> None:
        self._progress = Progress(
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

    def __enter__(self) -> Watch:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, what: str, done: int, total: int) -> None:
        """Show how far a stage is."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total, stored="")
        self._progress.update(self._tasks[what], completed=done, total=total)

    def result(self, kind: str, stored: bool, done: int, total: int) -> None:
        """Show a measured model."""
        self._stored[kind] = self._stored.get(kind, 0) + stored
        what = f"measuring {kind}"
        self.tell(what, done, total)
        if self._stored[kind]:
            self._progress.update(self._tasks[what], stored=f"{self._stored[kind]} from store")

    def round(self, one: Round) -> None:
        """A line about a round of active sampling."""
        self._progress.console.print(
            f"{one.networks} networks and {one.kernels} kernels: held-out networks "
            f"{one.mape_percent:.2f} % off, {one.within_10_percent:.0f} % within ±10 %; "
            f"least sure: {one.families[0].family}",
            highlight=False,
        )


def print_findings(found: CalibrationResults) -> None:
    """Tables of what the models are worth on networks that they never saw."""
    provenance = found.fitted.model.identity["provenance"]
    quality = quality_to_json_dict(found.fitted, found.arena, found.flash)
    print_table(
        f"Latency, fitted on {provenance} values: networks that the model never saw",
        ["model", "n", "MAPE", "within ±10 %", "interval holds", "R²", "Spearman", "worst"],
        [
            _latency_row(name, one, name == found.fitted.model.name)
            for name, one in quality["latency"].items()
        ],
    )
    rows = [
        _memory_row(what, quality[key])
        for what, key in (("tensor arena", "arena"), ("flatbuffer in flash", "flash"))
        if quality[key]
    ]
    if rows:
        print_table(
            f"Memory, fitted on {provenance} values: networks that the model never saw",
            ["model", "n", "MAPE", "within ±3 %", "most below", "most above"],
            rows,
        )
    else:
        note("too few networks for models of arena and flash")


def print_findings_json(found: CalibrationResults) -> None:
    """The same, and all else that is known, as JSON."""
    print_json(
        {
            "provenance": found.fitted.model.identity["provenance"],
            "identity": dict(found.fitted.model.identity),
            "chosen": found.fitted.model.name,
            "quality": quality_to_json_dict(found.fitted, found.arena, found.flash),
            "fits": [line.to_json_dict() for line in found.lines.values()],
            "sampling": found.sampling,
        }
    )


def note_effort(effort: Effort) -> None:
    """A line about images, flash cycles and seconds."""
    note(
        f"{effort.models} models in {effort.images} images, {effort.flash_cycles} flash cycles, "
        f"{effort.device_seconds:.0f} s of device time; {effort.stored} of them came from the "
        f"store, this run measured for {effort.seconds:.0f} s"
    )


def note_goal(sampling: Any) -> None:
    """A line about whether active sampling got where it should."""
    error, wanted = sampling["held_out_mape_percent"], sampling["until_mape_percent"]
    held_out = len(sampling["held_out"])
    if sampling["reached"]:
        note(f"{held_out} held-out networks: mean error {error:.2f} %, wanted {wanted:g} %")
    else:
        note(
            f"{held_out} held-out networks: mean error {error:.2f} %, wanted {wanted:g} %: not "
            "reached; raise --models or --kernels to go on from here"
        )


def _latency_row(name: str, quality: Any, chosen: bool) -> list[str]:
    fit = quality["fit"]
    return [
        f"{name}{' (default)' * chosen}",
        str(fit["n"]),
        f"{fit['mape_percent']:.1f} %",
        f"{fit['within_10_percent']:.0f} %",
        f"{quality['coverage_percent']:.0f} % of {quality['nominal_percent']:.0f}",
        f"{fit['r2']:.4f}",
        f"{fit['spearman']:.4f}",
        f"{quality['worst_percent']:.1f} %",
    ]


def _memory_row(what: str, quality: Any) -> list[str]:
    return [
        what,
        str(quality["networks"]),
        f"{quality['mape_percent']:.2f} %",
        f"{quality['within_3_percent']:.0f} %",
        f"{quality['worst_under_percent']:.2f} %",
        f"{quality['worst_over_percent']:.2f} %",
    ]
