# SPDX-License-Identifier: Apache-2.0
"""The far end of the board's serial line.

The serial line as a pseudo-terminal: the host opens it like a board's USB serial port.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import termios
import time
import tty
from collections.abc import Callable
from typing import Protocol


class ByteLink(Protocol):
    """Where the board's UART ends: a pty, or a queue in this process."""

    def send(self, byte: int) -> None:
        """Take a byte that the board sends. May be kept back until ``flush``."""

    def flush(self) -> None:
        """Bring everything that was sent to where the far end sees it."""

    def receive(self, *, wait: bool) -> bytes:
        """Bytes for the board, as many as there are.

        Args:
            wait: Come back only with bytes, or empty-handed if none will come now: the machine
                then stops and may be run again.
        """


class QueueLink:
    """Both directions as byte arrays; for use within one process.

    Attributes:
        to_board: What the board has not received yet. Append to it, then run the machine.
        from_board: What the board has sent.
    """

    def __init__(self) -> None:
        self.to_board = bytearray()
        self.from_board = bytearray()

    def send(self, byte: int) -> None:
        """See ``ByteLink.send``."""
        self.from_board.append(byte)

    def flush(self) -> None:
        """See ``ByteLink.flush``."""

    def receive(self, *, wait: bool) -> bytes:
        """See ``ByteLink.receive``."""
        data = bytes(self.to_board)
        self.to_board.clear()
        return data


class NotifyingLink(QueueLink):
    """A queue that tells when it has something for the board: what needs no polling.

    Attributes:
        listeners: Called after ``give``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.listeners: list[Callable[[], None]] = []

    def give(self, data: bytes) -> None:
        """Send bytes to the board, while the machine stands still or from within ``send``."""
        self.to_board += data
        for listener in self.listeners:
            listener()


_SEND_AT = 4096  # bytes; as many as a pty holds
_CHUNK = 65536
_DRAIN_S = 1.0
_DRAIN_STEP_S = 0.005


class PtyLink:
    """A ``ByteLink`` on a pty in raw mode, for one thread; ``close_line`` may come from another.

    The slave end stays open here: the host may come, go and come back, and no byte is lost.

    Attributes:
        port: What the host opens, e.g. ``/dev/pts/3``.
    """

    def __init__(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._wake_read, self._wake_write = os.pipe()
        self.port = os.ttyname(self._slave)
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._closed = False

    def send(self, byte: int) -> None:
        """See ``ByteLink.send``."""
        self._outgoing.append(byte)
        if len(self._outgoing) >= _SEND_AT:
            self.flush()

    def flush(self) -> None:
        """See ``ByteLink.flush``; waits while the host does not read."""
        while self._outgoing and not self._closed:
            self._transfer(None)

    def receive(self, *, wait: bool) -> bytes:
        """See ``ByteLink.receive``; sleeps in the kernel while it waits."""
        if not self._incoming:
            self._transfer(None if wait else 0.0)
        while wait and not self._incoming and not self._closed:
            self._transfer(None)
        data = bytes(self._incoming)
        self._incoming.clear()
        return data

    def close_line(self) -> None:
        """Wake whoever waits on the line, now and in future."""
        self._closed = True
        with contextlib.suppress(OSError):  # closed already: nobody waits
            os.write(self._wake_write, b"\0")

    def close(self, *, drain: bool = False) -> None:
        """Close the port: the host then reads EIO.

        Args:
            drain: Give the host a second to read what was sent; closing throws it away.
        """
        if drain:
            self._drain()
        for descriptor in (self._master, self._slave, self._wake_read, self._wake_write):
            os.close(descriptor)

    def _transfer(self, timeout_s: float | None) -> None:
        """Move what can be moved, in both directions; wait for the first of it."""
        # Receiving while sending: a host that only writes at first must not stop us both.
        writers = [self._master] if self._outgoing else []
        readable, writable, _ = select.select(
            [self._master, self._wake_read], writers, [], timeout_s
        )
        with contextlib.suppress(BlockingIOError):
            if self._master in readable:
                self._incoming += os.read(self._master, _CHUNK)
            if writable:
                del self._outgoing[: os.write(self._master, self._outgoing)]

    def _drain(self) -> None:
        deadline = time.monotonic() + _DRAIN_S
        while time.monotonic() < deadline and (self._outgoing or self._unread()):
            if self._outgoing:
                self._transfer(_DRAIN_STEP_S)
            else:
                time.sleep(_DRAIN_STEP_S)

    def _unread(self) -> int:
        """Bytes that the host has not read yet."""
        answer = fcntl.ioctl(self._slave, termios.FIONREAD, struct.pack("i", 0))
        return int(struct.unpack("i", answer)[0])
