# SPDX-License-Identifier: Apache-2.0
"""A USART of an STM32F7 (IP version 3) on a byte link, and when its owner is only waiting.

Registers: ST CMSIS header stm32f746xx.h, RM0385 31.8. Virtual time knows no baud rate: a byte is
sent at once, and received bytes wait in the link, so that there is no overrun.
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
# What makes a waiting loop: rounds of the same, small number of instructions; and, for loops that
# vary, how many reads of ISR in a row.
_LOOP_ROUNDS, _LOOP_INSTRUCTIONS, _LOOP_READS = 2, 64, 32


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

    While a board waits for its host, virtual time stands still: however long that takes, and
    however the bytes arrive in pieces, the counts are those of a byte that was there at the first
    look. A loop is reads of ISR with nothing but the same number of instructions between them; the
    read before it, e.g. for TC, is not part of it.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._reads = 0  # in a row
        self._rounds = 0  # of the same length, at the end of them
        self._length = 0
        self._start: object = None  # at the first read of the loop
        self._last: object = None
        self._last_access = -1
        self._last_instructions = 0

    @property
    def first(self) -> bool:
        """The read stands alone so far."""
        return self._reads == 1

    @property
    def looping(self) -> bool:
        """Nothing but waiting is going on."""
        return self._rounds >= _LOOP_ROUNDS or self._reads >= _LOOP_READS

    def note(self) -> None:
        """Note a read of ISR."""
        accesses, instructions = self._timeline.accesses, self._timeline.instructions
        length = instructions - self._last_instructions
        if self._reads == 0 or accesses != self._last_access + 1 or length > _LOOP_INSTRUCTIONS:
            self._reads = self._rounds = self._length = 0
        elif length == self._length:
            self._rounds += 1
        else:
            self._rounds, self._length, self._start = 1, length, self._last
        self._reads += 1
        self._last = self._timeline.snapshot()
        self._last_access, self._last_instructions = accesses, instructions

    def end(self) -> None:
        """A byte has come: go back to the first look."""
        self._timeline.rewind(self._start if self._rounds else self._last)
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
                f"{self.name} rule broken: {actual:.0f} baud from {clock} Hz and BRR "
                f"0x{self.values[0x0C]:X}, the host listens at {self._wiring.baud}; "
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
        if not self._received and self._wiring.receives():
            self._listen()
        return status | _REACK | (_RXNE if self._received else 0)

    def _listen(self) -> None:
        listening = self._listening
        listening.note()
        # The read behind a write of TDR may ask for TXE or TC: no reason to look for a byte.
        after_send = self._timeline.accesses == self._sent_at_access + 1
        if not listening.looping and (after_send or not listening.first):
            return
        self._link.flush()
        data = self._link.receive(wait=listening.looping)
        if data:
            self._received.extend(data)
            listening.end()
        elif listening.looping:
            self._timeline.stop_idle()
