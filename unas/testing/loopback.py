# SPDX-License-Identifier: Apache-2.0
"""A transport that returns what is written to it."""

from __future__ import annotations

from collections import deque

from unas.errors import LinkError


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
