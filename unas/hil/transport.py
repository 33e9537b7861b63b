# SPDX-License-Identifier: Apache-2.0
"""The byte pipe to a device. Nothing above can tell a UART from a virtual board's pty or a fake."""

from __future__ import annotations

import contextlib
from typing import Protocol

import serial

from unas.errors import LinkClosedError, LinkError

# What pyserial raises where the other end is gone; TypeError where it was closed meanwhile.
_CLOSED: tuple[type[Exception], ...] = (serial.SerialException, OSError, TypeError)
with contextlib.suppress(ImportError):  # Windows has none
    import termios

    _CLOSED += (termios.error,)


class Transport(Protocol):
    """A byte pipe. ``unas.testing`` holds the contract every implementation must keep."""

    def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            LinkClosedError: The other end is gone, or the transport was closed.
        """
        ...

    def read(self, timeout_s: float) -> bytes:
        """Bytes that have come, at least one; empty if none came in time.

        Raises:
            LinkClosedError: The other end is gone, or the transport was closed.
        """
        ...

    def close(self) -> None:
        """Give the pipe back. May be called twice; reads and writes after it are errors."""
        ...


class SerialTransport:
    """A serial port, real or a pty, through pyserial."""

    def __init__(self, port: str, baud: int) -> None:
        """Open the port.

        Raises:
            LinkError: It cannot be opened.
        """
        self._port = port
        try:
            # exclusive: a second program on the port would steal bytes from both.
            self._serial = serial.Serial(port, baud, timeout=0, write_timeout=10, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise LinkError(
                f"cannot open serial port {port}: {error}; check the cable, that you may use it "
                "(group dialout) and that no other program has it open"
            ) from error

    def write(self, data: bytes) -> None:
        """Send all of it."""
        try:
            self._serial.write(data)
            self._serial.flush()
        except _CLOSED as error:
            raise self._closed(error) from error

    def read(self, timeout_s: float) -> bytes:
        """Bytes that have come."""
        try:
            self._serial.timeout = timeout_s
            first: bytes = self._serial.read(1)
            return first + self._serial.read(self._serial.in_waiting) if first else b""
        except _CLOSED as error:
            raise self._closed(error) from error

    def close(self) -> None:
        """Give the port back."""
        self._serial.close()

    def _closed(self, error: Exception) -> LinkClosedError:
        return LinkClosedError(
            f"serial port {self._port} is gone: {error}; plug the board in again"
        )
