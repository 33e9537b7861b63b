# SPDX-License-Identifier: Apache-2.0
"""``measurements.jsonl``: every whole measurement of a study, with what a model learns from it.

A line is on the disk before the record it belongs to, so that a study that goes on fits its latency
model to what the first run had found, without a board.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unas.errors import StoreError
from unas.latency.sample import Sample
from unas.record import Measurement
from unas.store.atomic import write_atomic
from unas.store.journal_content import JournalContent
from unas.store.samples import sample_from_json_dict, sample_to_json_dict

_KEYS = {"index", "seed", "measurement", "sample"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One measurement.

    Attributes:
        index: Of the record it belongs to.
        seed: Of a training after the search; None in the search.
        measurement: What the board said.
        sample: What a latency model learns from it; None if nothing.
    """

    index: int
    seed: int | None
    measurement: Measurement
    sample: Sample | None

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "index": self.index,
            "seed": self.seed,
            "measurement": self.measurement.to_json_dict(),
            "sample": self.sample and sample_to_json_dict(self.sample),
        }

    @classmethod
    def from_json_dict(cls, data: Any) -> Finding:
        """The inverse of ``to_json_dict``.

        Raises:
            StoreError: It is not readable.
        """
        if not isinstance(data, dict) or data.keys() != _KEYS:
            raise StoreError(f"it has not the keys {', '.join(sorted(_KEYS))}")
        sample = data["sample"]
        return cls(
            int(data["index"]),
            None if data["seed"] is None else int(data["seed"]),
            Measurement.from_json_dict(data["measurement"]),
            None if sample is None else sample_from_json_dict(sample),
        )


class Findings:
    """The file, open for appending."""

    def __init__(self, path: Path, content: JournalContent) -> None:
        """Go on with a file, or begin one.

        Args:
            path: The file.
            content: Of the journal. What was measured for anything that is not in it is dropped:
                that will be judged anew.

        Raises:
            StoreError: It is damaged, or cannot be written.
        """
        self._path = path
        told = {record.index for record in content.records}
        seeds = {final.training.seed for final in content.finals}
        self.findings = [
            found
            for found in read_findings(path)
            if (found.index in told if found.seed is None else found.seed in seeds)
        ]
        if path.exists() or self.findings:
            write_atomic(path, b"".join(map(_line, self.findings)))

    def append(self, findings: Iterable[Finding]) -> None:
        """Write lines; they are on the disk when this returns.

        Raises:
            StoreError: The disk refuses.
        """
        lines = b"".join(map(_line, findings))
        if not lines:
            return
        try:
            with self._path.open("ab") as stream:
                stream.write(lines)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise StoreError(f"cannot write {self._path}: {error.strerror}; check the disk") from (
                error
            )


def read_findings(path: Path) -> list[Finding]:
    """All whole lines, none where there is no file; nothing is changed.

    Raises:
        StoreError: A line is damaged; names it.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; check the path") from error
    found = []
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), start=1):
        try:
            found.append(Finding.from_json_dict(json.loads(line)))
        except (ValueError, TypeError, StoreError) as error:
            raise StoreError(
                f"{path}, line {number}: {error}; restore the file, or begin the study anew"
            ) from error
    return found


def _line(finding: Finding) -> bytes:
    return json.dumps(finding.to_json_dict(), separators=(",", ":")).encode() + b"\n"
