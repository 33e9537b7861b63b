# SPDX-License-Identifier: Apache-2.0
"""A measurement store in memory."""

from __future__ import annotations

from unas.record import Measurement
from unas.store.cache import MeasurementKey


class MemoryStore:
    """Keeps measurements as long as it lives."""

    def __init__(self) -> None:
        self._kept: dict[str, Measurement] = {}

    def get(self, key: MeasurementKey) -> Measurement | None:
        """A stored measurement, or None."""
        return self._kept.get(key.digest)

    def put(self, key: MeasurementKey, measurement: Measurement) -> None:
        """Store one."""
        self._kept[key.digest] = measurement
