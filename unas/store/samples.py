# SPDX-License-Identifier: Apache-2.0
"""Samples as lines of JSON: all that is needed to fit a latency model again without a board."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from unas.errors import StoreError
from unas.graph import Activation, OperatorKind
from unas.latency.kernel import Call, Kernel, Place
from unas.latency.sample import Sample

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
        "calls": [_told(call.kernel) | {"place": _told(call.place)} for call in sample.calls],
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


def _told(value: Kernel | Place) -> dict[str, Any]:
    """The fields that are not their default, as JSON types."""
    found = {field.name: (getattr(value, field.name), field.default) for field in fields(value)}
    return {
        name: list(content) if isinstance(content, tuple) else content
        for name, (content, default) in found.items()
        if default is MISSING or content != default
    }


def _call(entry: Mapping[str, Any]) -> Call:
    told = dict(entry)
    place = Place(**told.pop("place"))
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
