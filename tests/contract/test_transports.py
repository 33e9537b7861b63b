# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pty
import threading
import tty

import pytest

from unas.errors import LinkClosedError
from unas.hil.transport import SerialTransport, Transport
from unas.testing.contracts import TransportContract
from unas.testing.fakes import LoopbackTransport


class TestLoopback(TransportContract):
    def echo(self) -> Transport:
        return LoopbackTransport()


def _echo(master: int) -> None:
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:  # the other side has closed
            return
        if not data:
            return
        os.write(master, data)


class TestSerialOnPty(TransportContract):
    """The real serial code, with a pseudo-terminal where the cable would be."""

    def echo(self) -> Transport:
        master, slave = pty.openpty()
        tty.setraw(slave)
        transport = SerialTransport(os.ttyname(slave), 115200)
        os.close(slave)
        threading.Thread(target=_echo, args=(master,), daemon=True).start()
        return transport

    @pytest.mark.parametrize("direction", ["read", "write"])
    def test_a_line_whose_other_end_hangs_up_is_closed(self, direction: str) -> None:
        master, slave = pty.openpty()
        tty.setraw(slave)
        transport = SerialTransport(os.ttyname(slave), 115200)
        os.close(slave)
        os.close(master)
        with pytest.raises(LinkClosedError, match="plug the board in"):
            transport.read(0.1) if direction == "read" else transport.write(b"x")
        transport.close()
