# SPDX-License-Identifier: Apache-2.0
"""Measurements are not made twice: one file each, named by all that decides its numbers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from unas._paths import cache_dir
from unas._text import parse_json
from unas.errors import StoreError
from unas.record import Measurement
from unas.store.folder import write_atomic


@dataclass(frozen=True, slots=True)
class MeasurementKey:
    """All that decides a measurement's numbers.

    Attributes:
        model_sha256: The model.
        board_id: Kind of board.
        firmware_hash: Sources, board file, flags and compiler.
        source: Which clock is read: a unit's name, or the virtual board's revision.
        warmup: Runs before the timed ones.
        runs: Timed runs.
        seed: Seed of the input.
        verify_arena: Whether the smallest arena was tried.
        most_output_bytes: How many bytes of the output were checked; None: all.
    """

    model_sha256: str
    board_id: str
    firmware_hash: str
    source: str
    warmup: int
    runs: int
    seed: int
    verify_arena: bool = True
    most_output_bytes: int | None = None

    @property
    def digest(self) -> str:
        """Hex digest of all fields."""
        fields = asdict(self)
        # Measurements from before there was a choice keep their names.
        if self.verify_arena:
            del fields["verify_arena"]
        if self.most_output_bytes is None:
            del fields["most_output_bytes"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


class MeasurementStore(Protocol):
    """Keeps measurements. ``unas.testing`` holds the contract."""

    def get(self, key: MeasurementKey) -> Measurement | None:
        """A stored measurement, or None."""
        ...

    def put(self, key: MeasurementKey, measurement: Measurement) -> None:
        """Store one; it is safe when this returns."""
        ...


class DirectoryStore:
    """A directory with one JSON file per measurement; safe with several processes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _path(self, key: MeasurementKey) -> Path:
        digest = key.digest
        return self._root / digest[:2] / f"{digest}.json"

    def get(self, key: MeasurementKey) -> Measurement | None:
        """A stored measurement; None also where it is not readable: measuring again heals it."""
        path = self._path(key)
        try:
            return Measurement.from_json_dict(parse_json(path.read_bytes(), str(path)))
        except (OSError, StoreError):
            return None

    def put(self, key: MeasurementKey, measurement: Measurement) -> None:
        """Store one.

        Raises:
            StoreError: The directory cannot be written.
        """
        content = json.dumps(measurement.to_json_dict(), sort_keys=True)
        write_atomic(self._path(key), content.encode())


def user_store() -> DirectoryStore:
    """The user's store of measurements, below the cache directory."""
    return DirectoryStore(cache_dir() / "measurements")
