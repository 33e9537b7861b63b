# SPDX-License-Identifier: Apache-2.0
"""``measurements.jsonl``: every whole measurement of a study, with what a model learns from it.

A line is on the disk before the record it belongs to, so that a study that goes on fits its latency
model to what the first run had found, without a board.

Samples as lines of JSON: all that is needed to fit a latency model again without a board.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from unas.cost.operators import Call, Kernel, Placement
from unas.cost.types import Sample
from unas.errors import StoreError
from unas.graph import Activation, OperatorKind
from unas.record import Measurement
from unas.store.folder import write_atomic
from unas.store.journal import JournalContent

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


_PAIRS = ("filter", "stride", "dilation", "pad")


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Write one line a sample; fields of calls that have their default are left out."""
    lines = (json.dumps(sample_to_json_dict(sample)) + "\n" for sample in samples)
    path.write_text("".join(lines))


def read_samples(path: Path) -> tuple[Sample, ...]:
    """Read what ``write_samples`` wrote.

    Raises:
        StoreError: It is not there, or not readable.
    """
    try:
        lines = path.read_text().splitlines()
        return tuple(sample_from_json_dict(json.loads(line)) for line in lines)
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {path}: {error}; calibrate again") from error


def sample_to_json_dict(sample: Sample) -> dict[str, Any]:
    """As JSON types."""
    return {
        "name": sample.name,
        "is_network": sample.is_network,
        "cycles": sample.cycles,
        "operator_cycles": list(sample.operator_cycles),
        "calls": [
            _told(call.kernel) | {"place": call.placement.to_json_dict()} for call in sample.calls
        ],
    }


def sample_from_json_dict(data: Mapping[str, Any]) -> Sample:
    """From ``sample_to_json_dict``'s result.

    Raises:
        StoreError: Fields are missing, unknown or of the wrong kind.
    """
    try:
        return Sample(
            name=str(data["name"]),
            calls=tuple(_call(entry) for entry in data["calls"]),
            cycles=float(data["cycles"]),
            operator_cycles=tuple(float(cycles) for cycles in data["operator_cycles"]),
            is_network=bool(data["is_network"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"a stored sample is not readable: {error}; calibrate again") from error


def _told(value: Kernel) -> dict[str, Any]:
    """The fields that are not their default, as JSON types."""
    found = {field.name: (getattr(value, field.name), field.default) for field in fields(value)}
    return {
        name: list(content) if isinstance(content, tuple) else content
        for name, (content, default) in found.items()
        if default is MISSING or content != default
    }


def _call(entry: Mapping[str, Any]) -> Call:
    told = dict(entry)
    place = Placement.from_json_dict(told.pop("place"))
    told["kind"] = OperatorKind(told["kind"])
    told["input"], told["output"] = _shape(told["input"]), _shape(told["output"])
    for name in _PAIRS:
        if name in told:
            rows, columns = told[name]
            told[name] = (int(rows), int(columns))
    if "activation" in told:
        told["activation"] = Activation(told["activation"])
    return Call(Kernel(**told), place)


def _shape(values: Iterable[int]) -> tuple[int, int, int]:
    height, width, channels = values
    return int(height), int(width), int(channels)
