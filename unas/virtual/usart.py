# SPDX-License-Identifier: Apache-2.0
"""A USART of an STM32F7 (IP version 3) on a byte link, and when its owner is only waiting.

Registers: ST CMSIS header stm32f746xx.h, RM0385 31.8. Virtual time knows no baud rate: a byte is sent at once, and
received bytes wait in the link, so that there is no overrun.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from unas.errors import EmulatorError
from unas.virtual.link import ByteLink
from unas.virtual.registers import Peripheral, Register

_UE, _RE, _TE, _OVER8 = 1 << 0, 1 << 2, 1 << 3, 1 << 15
_RXNE, _TC, _TXE, _TEACK, _REACK = (1 << bit for bit in (5, 6, 7, 21, 22))
_ISR = 0x1C
_TOLERANCE = 0.02  # what a receiver of 8N1 frames forgives, both ends' errors taken together
# Reads of ISR in a row that make a waiting loop, and how many instructions apart they are at most.
_WAITING_READS = 4
_WAITING_DISTANCE = 64


class Timeline(Protocol):
    """What the UART must know of the machine around it."""

    @property
    def accesses(self) -> int:
        """Peripheral accesses so far, this one included."""

    @property
    def instructions(self) -> int:
        """Executed instructions."""

    def snapshot(self) -> object:
        """The present moment."""

    def rewind(self, moment: object) -> None:
        """Take back the time since then: the core only waited."""

    def stop_idle(self) -> None:
        """The far end has nothing for us: let the machine stop."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the USART is connected.

    Attributes:
        baud: What the far end listens at.
        kernel_clock_hz: Frequency that BRR divides.
        clocked: Whether the bus clock is on.
        transmits: Whether the TX pin is routed to the USART.
        receives: Whether the RX pin is.
    """

    baud: int
    kernel_clock_hz: Callable[[], int]
    clocked: Callable[[], bool]
    transmits: Callable[[], bool]
    receives: Callable[[], bool]


class Listening:
    """Finds the loops in which firmware waits for a byte, and takes their time away.

    While a board waits for its host, virtual time stands still: however long that takes and
    however the bytes arrive in pieces, the counts are those of a byte that was there at once.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._since: object = None
        self._reads = 0
        self._last_access = -1
        self._last_instructions = 0

    def begin(self) -> int:
        """Note a read of ISR; gives how many there were in a row, this one included."""
        now = self._timeline
        continues = (
            now.accesses == self._last_access + 1
            and now.instructions - self._last_instructions <= _WAITING_DISTANCE
        )
        if not continues or not self._reads:
            self._reads = 0
            self._since = now.snapshot()
        self._reads += 1
        self._last_access, self._last_instructions = now.accesses, now.instructions
        return self._reads

    def end(self) -> None:
        """A byte has come: go back to the first of the reads."""
        self._timeline.rewind(self._since)
        self._reads = 0


class Usart(Peripheral):
    """One USART."""

    def __init__(
        self, name: str, base: int, wiring: Wiring, link: ByteLink, timeline: Timeline
    ) -> None:
        self._wiring = wiring
        self._link = link
        self._timeline = timeline
        self._listening = Listening(timeline)
        self._received: deque[int] = deque()
        self._sent_at_access = -1
        registers = (
            Register(0x00, "CR1", write=self._write_control),
            Register(0x04, "CR2"),
            Register(0x08, "CR3"),
            Register(0x0C, "BRR", writable=0xFFFF, write=self._write_divider),
            Register(0x10, "GTPR"),
            Register(0x14, "RTOR"),
            Register(0x18, "RQR", write=lambda old, new: 0),
            Register(_ISR, "ISR", 0xC0, 0, self._status),
            Register(0x20, "ICR", write=lambda old, new: 0),
            Register(0x24, "RDR", 0, 0, self._take),
            Register(0x28, "TDR", 0, 0x1FF, write=self._send),
        )
        super().__init__(name, base, 0x400, registers, wiring.clocked)

    def _on(self, bits: int) -> bool:
        return self.values[0x00] & bits == bits

    def _write_divider(self, old: int, new: int) -> int:
        return old if self._on(_UE) else new  # RM0385 31.8.4: only while UE = 0

    def _write_control(self, old: int, new: int) -> int:
        if new & _UE:
            self._check_baud(new)
        return new

    def _check_baud(self, control: int) -> None:
        divider = self.values[0x0C]
        clock = self._wiring.kernel_clock_hz()
        if (
            control & _OVER8
        ):  # RM0385 31.5.4: BRR[2:0] holds USARTDIV[3:0] >> 1, and the clock counts double
            divider, clock = (divider & 0xFFF0) | (divider & 7) << 1, 2 * clock
        actual = clock / divider if divider >= 16 else 0.0
        if abs(actual / self._wiring.baud - 1) > _TOLERANCE:
            raise EmulatorError(
                f"{self.name} rule broken: {actual:.0f} baud from {clock} Hz and BRR 0x{self.values[0x0C]:X}, "
                f"the host listens at {self._wiring.baud}; "
                f"write BRR = {round(clock / self._wiring.baud)} before CR1.UE"
            )

    def _send(self, old: int, new: int) -> int:
        self._sent_at_access = self._timeline.accesses
        # A pin that is not routed carries nothing, on silicon as here.
        if self._on(_UE | _TE) and self._wiring.transmits():
            self._link.send(new & 0xFF)
        return new

    def _take(self, stored: int) -> int:
        return self._received.popleft() if self._received else 0

    def _status(self, stored: int) -> int:
        status = _TXE | _TC
        if self._on(_UE | _TE):
            status |= _TEACK
        if not self._on(_UE | _RE):
            return status
        # The read behind a write of TDR asks for TXE or TC, not for a byte.
        after_send = self._timeline.accesses == self._sent_at_access + 1
        if not self._received and not after_send and self._wiring.receives():
            self._listen()
        return status | _REACK | (_RXNE if self._received else 0)

    def _listen(self) -> None:
        waiting = self._listening.begin() >= _WAITING_READS
        self._link.flush()
        data = self._link.receive(wait=waiting)
        if data:
            self._received.extend(data)
            self._listening.end()
        elif waiting:
            self._timeline.stop_idle()
