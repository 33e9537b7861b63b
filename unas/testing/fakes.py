# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for what a measurement needs: flashers, a transport, a store of measurements."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
from collections import deque

from unas.artifact import FirmwareImage
from unas.board import Board
from unas.errors import LinkClosedError
from unas.hil.flash import StageMark
from unas.hil.wire import FrameDecoder
from unas.record import Measurement, Provenance
from unas.store.cache import MeasurementKey
from unas.testing.device import FakeDevice, matching_info


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
        """No trace."""
        return []

    def failure(self) -> str | None:
        """The reason given at the start."""
        return self._reason

    def close(self) -> None:
        """Nothing is held."""


class PtyFlasher(FakeFlasher):
    """Starts a fake device behind a pseudo-terminal: the real serial code talks to it."""

    def __init__(self, board: Board, device: FakeDevice, reason: str | None = None) -> None:
        """Nothing is started before ``flash``.

        Args:
            board: What the device is.
            device: Gets the models and INFO of each image that is flashed.
            reason: Why the unit has stopped, if it is asked.
        """
        super().__init__(reason)
        self._board, self._device = board, device
        self._served: tuple[threading.Thread, threading.Event] | None = None
        self._lock = threading.Lock()  # the lab closes from another thread than it flashes
        self.closed = False

    def flash(self, image: FirmwareImage) -> str:
        """Start the device with the image, on a new terminal.

        Raises:
            LinkClosedError: The flasher is closed.
        """
        with self._lock:
            if self.closed:
                raise LinkClosedError("the flasher is closed; make a new one")
            super().flash(image)
            self._hang_up()
            return self._start(image)

    def _start(self, image: FirmwareImage) -> str:
        self._device.info, self._device.models = matching_info(self._board, image), image.models
        self._device.start()
        master, slave = pty.openpty()
        tty.setraw(slave)
        port, stop = os.ttyname(slave), threading.Event()
        arguments = (master, slave, self._device, stop)
        thread = threading.Thread(target=_serve, args=arguments, daemon=True)
        thread.start()
        self._served = thread, stop
        return port

    def close(self) -> None:
        """Hang up; later flashing fails."""
        with self._lock:
            self.closed = True
            self._hang_up()

    def _hang_up(self) -> None:
        if self._served is not None:
            thread, stop = self._served
            stop.set()
            thread.join()
            self._served = None


def _serve(master: int, slave: int, device: FakeDevice, stop: threading.Event) -> None:
    decoder = FrameDecoder()
    try:
        while not stop.is_set():
            if not select.select([master], [], [], 0.01)[0]:
                continue
            for frame in filter(None, decoder.feed(os.read(master, 4096))):
                for answer in device.answer(frame):
                    os.write(master, answer)
    except LinkClosedError:
        pass  # the device pulls the plug
    finally:
        os.close(slave)
        os.close(master)


class LoopbackTransport:
    """In memory; the simplest thing that keeps the transport contract."""

    def __init__(self) -> None:
        self._bytes: deque[bytes] = deque()
        self._closed = False

    def write(self, data: bytes) -> None:
        """Queue bytes."""
        if self._closed:
            raise LinkClosedError("the loopback is gone: closed; open it again")
        if data:
            self._bytes.append(data)

    def read(self, timeout_s: float) -> bytes:
        """What was queued first."""
        if self._closed:
            raise LinkClosedError("the loopback is gone: closed; open it again")
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
