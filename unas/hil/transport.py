# SPDX-License-Identifier: Apache-2.0
"""The byte pipe to a device. Nothing above can tell a UART from a virtual board's pty or a fake."""

from __future__ import annotations

from typing import Protocol

import serial

from unas.errors import LinkError


class Transport(Protocol):
    """A byte pipe. ``unas.testing`` holds the contract every implementation must keep."""

    def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            LinkError: The other end is gone.
        """
        ...

    def read(self, timeout_s: float) -> bytes:
        """Bytes that have come, at least one; empty if none came in time.

        Raises:
            LinkError: The other end is gone.
        """
        ...

    def close(self) -> None:
        """Give the pipe back. May be called twice."""
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
        except (serial.SerialException, OSError) as error:
            raise self._gone(error) from error

    def read(self, timeout_s: float) -> bytes:
        """Bytes that have come."""
        try:
            self._serial.timeout = timeout_s
            first: bytes = self._serial.read(1)
            return first + self._serial.read(self._serial.in_waiting) if first else b""
        except (serial.SerialException, OSError, TypeError) as error:  # TypeError: closed meanwhile
            raise self._gone(error) from error

    def close(self) -> None:
        """Give the port back."""
        self._serial.close()

    def _gone(self, error: Exception) -> LinkError:
        return LinkError(f"serial port {self._port} is gone: {error}; plug the board in again")
