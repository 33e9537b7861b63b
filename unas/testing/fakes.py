# SPDX-License-Identifier: Apache-2.0
"""A flasher without a unit.

A transport that returns what is written to it.

A measurement store in memory.
"""

from __future__ import annotations

from collections import deque

from unas.artifact import FirmwareImage
from unas.errors import LinkError
from unas.hil.flash import StageMark
from unas.record import Measurement, Provenance
from unas.store.cache import MeasurementKey


class FakeFlasher:
    """Remembers what was flashed; its provenance is never that of silicon."""

    provenance = Provenance.EMULATED
    timing = "fake"

    def __init__(self, reason: str | None = None) -> None:
        self.images: list[FirmwareImage] = []
        self._reason = reason

    def flash(self, image: FirmwareImage) -> str:
        """Remember the image."""
        self.images.append(image)
        return "fake"

    def stages(self) -> list[StageMark]:
        """None."""
        return []

    def failure(self) -> str | None:
        """The reason given at the start."""
        return self._reason

    def close(self) -> None:
        """Nothing is held."""


class LoopbackTransport:
    """In memory; the simplest thing that keeps the transport contract."""

    def __init__(self) -> None:
        self._bytes: deque[bytes] = deque()
        self._closed = False

    def write(self, data: bytes) -> None:
        """Queue bytes."""
        if self._closed:
            raise LinkError("the loopback is gone: closed; open it again")
        if data:
            self._bytes.append(data)

    def read(self, timeout_s: float) -> bytes:
        """What was queued first."""
        if self._closed:
            raise LinkError("the loopback is gone: closed; open it again")
        return self._bytes.popleft() if self._bytes else b""

    def close(self) -> None:
        """Close; later calls fail."""
        self._closed = True


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
