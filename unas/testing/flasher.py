# SPDX-License-Identifier: Apache-2.0
"""A flasher without a unit."""

from __future__ import annotations

from unas.artifact import FirmwareImage
from unas.hil.flasher import StageMark
from unas.record import Provenance


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
