# SPDX-License-Identifier: Apache-2.0
"""``measurements.jsonl``: every whole measurement of a study, with what a model learns from it.

A line is on the disk before the record it belongs to, so that a study that goes on fits its latency
model to what the first run had found, without a board.

``samples.jsonl`` of a calibration holds samples alone: all that is needed to fit a latency model
again without a board.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from unas._codec import plain_object, read_object, shown
from unas._text import parse_json
from unas.cost.operators import ArenaLayout, Call, Kernel, Placement, calls_of
from unas.cost.types import Sample
from unas.errors import StoreError
from unas.graph import Graph
from unas.record import Measurement
from unas.store.folder import write_atomic
from unas.store.journal import JournalContent


def sample_of(
    measurement: Measurement, graph: Graph, layout: ArenaLayout, *, name: str | None = None
) -> Sample:
    """What latency models learn from a measured network.

    Args:
        measurement: Of that network.
        graph: As exported.
        layout: Of the arena that it ran in.
        name: Of the sample; None: that of the model.

    Raises:
        StoreError: The device ran other operators than the graph has.
    """
    names = [operator.name for operator in measurement.operators]
    expected = [str(op.kind) for op in graph.operators]
    if names and names != expected:
        raise StoreError(
            f"{measurement.model_name}: the device timed {len(names)} operators "
            f"({', '.join(names[:4])}…), the network has {len(expected)} "
            f"({', '.join(expected[:4])}…); measure it again"
        )
    return Sample(
        name=measurement.model_name if name is None else name,
        calls=calls_of(graph, layout),
        cycles=measurement.median_cycles,
        operator_cycles=tuple(float(operator.cycles) for operator in measurement.operators),
    )


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Write one line a sample; fields of calls that have their default are left out."""
    lines = (json.dumps(sample_to_json_dict(sample)) + "\n" for sample in samples)
    path.write_text("".join(lines))


def read_samples(path: Path) -> tuple[Sample, ...]:
    """Read what ``write_samples`` wrote.

    Raises:
        StoreError: It is not there, or not readable.
    """
    samples = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; calibrate again") from error
    for number, line in enumerate(lines, start=1):
        try:
            samples.append(sample_from_json_dict(parse_json(line, "it")))
        except StoreError as error:
            raise StoreError(f"{path}, line {number}: {error}; calibrate again") from error
    return tuple(samples)


def sample_to_json_dict(sample: Sample) -> dict[str, Any]:
    """As JSON types."""
    return {
        "name": sample.name,
        "is_network": sample.is_network,
        "cycles": sample.cycles,
        "operator_cycles": list(sample.operator_cycles),
        "calls": [_call_to_json(call) for call in sample.calls],
    }


def sample_from_json_dict(data: Any) -> Sample:
    """From ``sample_to_json_dict``'s result.

    Raises:
        StoreError: Fields are missing, unknown or of the wrong kind.
    """
    stored = read_object(data, _StoredSample, "a sample")
    return Sample(
        stored.name, stored.calls, stored.cycles, stored.operator_cycles, stored.is_network
    )


def _optional_sample(data: Any) -> Sample | None:
    return None if data is None else sample_from_json_dict(data)


def _call_to_json(call: Call) -> dict[str, Any]:
    return plain_object(call.kernel, defaults=False) | {"place": call.placement.to_json_dict()}


def _call_from_json(data: Any) -> Call:
    """A call: the fields of its kernel, and ``place``."""
    if not isinstance(data, Mapping) or "place" not in data:
        raise StoreError(f"{shown(data)} is no call with its place")
    rest = {key: value for key, value in data.items() if key != "place"}
    kernel = read_object(rest, Kernel, "a call", defaults=True)
    extents = (*kernel.input, *kernel.output, *kernel.filter, *kernel.stride, *kernel.dilation)
    if min(extents) < 1:
        raise StoreError(f"a call of extents {extents}; each is at least 1")
    return Call(kernel, Placement.from_json_dict(data["place"]))


@dataclass(frozen=True, slots=True)
class _StoredSample:
    """A sample as it is stored."""

    name: str
    is_network: bool
    cycles: float
    operator_cycles: tuple[float, ...]
    calls: tuple[Annotated[Call, _call_from_json], ...]


@dataclass(frozen=True, slots=True)
class LoggedMeasurement:
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
    sample: Annotated[Sample | None, _optional_sample]

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "index": self.index,
            "seed": self.seed,
            "measurement": self.measurement.to_json_dict(),
            "sample": self.sample and sample_to_json_dict(self.sample),
        }

    @classmethod
    def from_json_dict(cls, data: Any) -> LoggedMeasurement:
        """The inverse of ``to_json_dict``.

        Raises:
            StoreError: It is not readable.
        """
        return read_object(data, cls, "a measurement")


class MeasurementLog:
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
        indices = {record.index for record in content.records}
        seeds = {final.training.seed for final in content.finals}
        self.findings = [
            result
            for result in read_findings(path)
            if (result.index in indices if result.seed is None else result.seed in seeds)
        ]
        if path.exists() or self.findings:
            write_atomic(path, b"".join(map(_line, self.findings)))

    def append(self, findings: Iterable[LoggedMeasurement]) -> None:
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


def read_findings(path: Path) -> list[LoggedMeasurement]:
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
    result = []
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), start=1):
        try:
            result.append(LoggedMeasurement.from_json_dict(parse_json(line, "it")))
        except StoreError as error:
            raise StoreError(
                f"{path}, line {number}: {error}; restore the file, or begin the study anew"
            ) from error
    return result


def _line(finding: LoggedMeasurement) -> bytes:
    return json.dumps(finding.to_json_dict(), separators=(",", ":")).encode() + b"\n"
