# SPDX-License-Identifier: Apache-2.0
"""The far end of the board's serial line."""

from __future__ import annotations

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
