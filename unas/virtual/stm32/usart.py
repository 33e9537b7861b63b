# SPDX-License-Identifier: Apache-2.0
"""A USART of an STM32F7 or L4 on a byte link.

Registers: ST CMSIS headers stm32f746xx.h and stm32l4r5xx.h, RM0385 31.8, RM0432 49.7 and 50.7 (the
LPUART is the same block with another divider). Unless it is paced, virtual time knows no baud rate:
a byte is sent at once, received bytes wait in the link, and waiting for the host takes no time. A
byte never overruns the one before: it waits on the line. FIFO mode is taken, one byte deep.

The baud rate that an STM32's UART makes of its clock and its divider.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from unas.errors import EmulatorError
from unas.virtual.bus.link import ByteLink
from unas.virtual.bus.registers import Peripheral, Register
from unas.virtual.bus.rules import Rules
from unas.virtual.bus.schedule import NEVER, IdleLoopDetector, Polling
from unas.virtual.core.chip import Services

_CR1, _CR2, _CR3, _BRR, _ISR, _RDR, _PRESC = 0x00, 0x04, 0x08, 0x0C, 0x1C, 0x24, 0x2C
_UE, _RE, _TE, _M0, _PCE, _OVER8, _M1 = (1 << bit for bit in (0, 2, 3, 12, 10, 15, 28))
_IDLEIE, _RXNEIE, _TCIE, _TXEIE = (1 << bit for bit in (4, 5, 6, 7))
_DMAR, _DMAT = 1 << 6, 1 << 7  # CR3
_IDLE, _RXNE, _TC, _TXE, _BUSY, _TEACK, _REACK = (1 << bit for bit in (4, 5, 6, 7, 16, 21, 22))
_RXFRQ = 1 << 3  # RQR


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the USART is connected.

    Attributes:
        baud: What the far end listens at; None: at whatever comes.
        rules: Says what another baud rate is: an error, or the far end's business.
        kernel_clock_hz: Frequency that BRR divides.
        core_clock_hz: Frequency of the core.
        clocked: Whether the bus clock is on.
        transmits: Whether the TX pin is routed to the USART.
        receives: Whether the RX pin is.
        interrupt: Sets the level of its interrupt line.
        request: Sets the level of a DMA request line, ``"rx"`` or ``"tx"``.
        low_power: It is an LPUART.
    """

    baud: int | None
    rules: Rules
    kernel_clock_hz: Callable[[], int]
    core_clock_hz: Callable[[], int]
    clocked: Callable[[], bool]
    transmits: Callable[[], bool]
    receives: Callable[[], bool]
    interrupt: Callable[[bool], None]
    request: Callable[[str, bool], None]
    low_power: bool = False


class Usart(Peripheral):
    """One USART."""

    def __init__(
        self, name: str, base: int, wiring: Wiring, link: ByteLink, services: Services
    ) -> None:
        self._wiring = wiring
        self._link = link
        self._services = services
        self._paced = services.strictness.paced
        self._listening = IdleLoopDetector(services)
        self._polling = Polling(services)
        self._received: deque[int] = deque()
        self._change = services.agenda.event(self._update)
        self._sent_at_access = -1
        registers = (
            Register(_CR1, "CR1", write=self._write_control),
            Register(_CR2, "CR2"),
            Register(_CR3, "CR3", write=self._write_requests),
            Register(_BRR, "BRR", writable=0xFFFFF, write=self._write_divider),
            Register(0x10, "GTPR"),
            Register(0x14, "RTOR"),
            Register(0x18, "RQR", write=self._write_request),
            Register(_ISR, "ISR", 0xC0, 0, self._read_status),
            Register(0x20, "ICR", write=self._clear_flags),
            Register(_RDR, "RDR", 0, 0, self._take),
            Register(0x28, "TDR", 0, 0x1FF, write=self._send),
            Register(_PRESC, "PRESC", 0, 0xF),  # L4+; HAL for the F7 leaves it alone
        )
        super().__init__(name, base, 0x400, registers, wiring.clocked)

    def reset(self) -> None:
        """See ``Peripheral.reset``."""
        super().reset()
        self._received.clear()
        self._data_empty_at = self._sent_at = 0  # cycle in which TDR empties, and all is sent
        self._sent_cleared = False
        self._next_byte_at = 0  # cycle from which on the first of _received is in RDR
        self._idle_at = NEVER
        self._idle = False
        self._last_status = 0
        self._change.set(NEVER)

    @property
    def awaits_byte(self) -> bool:
        """A byte from the link would raise an interrupt."""
        enabled = self.values[_CR1] & _RXNEIE or self.values[_CR3] & _DMAR
        return self._on(_UE | _RE) and bool(enabled)

    def bytes_came(self) -> None:
        """The link has something, perhaps."""
        if self._on(_UE | _RE):
            self._fetch()
            self._update()

    def read(self, offset: int) -> int:
        """See ``Peripheral.read``."""
        if self._paced:
            if offset == _RDR:
                self._polling.end()
            else:
                self._polling.note()
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """See ``Peripheral.write``."""
        self._polling.end()
        super().write(offset, value)

    # Registers -------------------------------------------------------------------------------

    def _on(self, bits: int) -> bool:
        return self.values[_CR1] & bits == bits

    def _write_divider(self, old: int, new: int) -> int:
        return old if self._on(_UE) else new  # RM0385 31.8.4: only while UE = 0

    def _write_control(self, old: int, new: int) -> int:
        if new & _UE and not old & _UE:
            self._wiring.rules.hold(lambda: self._check_baud(new))
        self.values[_CR1] = new
        if self._paced and new & ~old & (_UE | _RE) and self._on(_UE | _RE):
            self._fetch()
        self._update()
        return new

    def _write_requests(self, old: int, new: int) -> int:
        self.values[_CR3] = new
        self._update()
        return new

    def _write_request(self, old: int, new: int) -> int:
        if new & _RXFRQ and self._status() & _RXNE:
            self._take(0)
        return 0

    def _clear_flags(self, old: int, new: int) -> int:
        if new & _IDLE:
            self._idle = False
        if new & _TC:
            self._sent_cleared = True
        self._update()
        return 0

    def _read_status(self, stored: int) -> int:
        if self._paced:
            self._pass_time()
            status = self._status()
            if status != self._last_status:  # what was waited for may have come
                self._polling.end()
            self._last_status = status
            return status
        if self._on(_UE | _RE) and not self._received and self._wiring.receives():
            self._listen()
        return self._status()

    def _status(self) -> int:
        now = self._services.cycles
        status = _TXE if now >= self._data_empty_at else 0
        if now >= self._sent_at and not self._sent_cleared:
            status |= _TC
        if self._on(_UE | _TE):
            status |= _TEACK
        if self._idle:
            status |= _IDLE
        if not self._on(_UE | _RE):
            return status
        if self._received and now >= self._next_byte_at:
            status |= _RXNE
        return status | _REACK

    def _send(self, old: int, new: int) -> int:
        self._sent_at_access = self._services.accesses
        if not self._on(_UE | _TE):
            return new
        now = self._services.cycles
        self._data_empty_at = max(now, self._sent_at)
        self._sent_at = self._data_empty_at + self._frame_cycles()
        self._sent_cleared = False
        # A pin that is not routed carries nothing, on silicon as here.
        if self._wiring.transmits():
            self._link.send(new & 0xFF)
        self._update()
        return new

    def _take(self, stored: int) -> int:
        now = self._services.cycles
        if not self._received or now < self._next_byte_at:
            return stored
        byte = self._received.popleft()
        self._next_byte_at = max(now, self._next_byte_at + self._frame_cycles())
        if self._paced:
            self._fetch()
        self.values[_RDR] = byte
        self._update()
        return byte

    # Time ------------------------------------------------------------------------------------

    def _settings(self, control: int) -> BaudSettings:
        return BaudSettings(
            self.values[_BRR], bool(control & _OVER8), self.values[_PRESC], self._wiring.low_power
        )

    def _check_baud(self, control: int) -> None:
        wanted = self._wiring.baud
        if wanted is None:
            return
        settings, clock = self._settings(control), self._wiring.kernel_clock_hz()
        actual = baud_rate(clock, settings)
        if abs(actual / wanted - 1) > TOLERANCE:
            raise EmulatorError(
                f"{self.name} rule broken: {actual:.0f} baud from {clock} Hz and BRR "
                f"0x{settings.divider:X}, the host listens at {wanted}; "
                f"write BRR = {best_divider(clock, settings, wanted)} before CR1.UE"
            )

    def _frame_cycles(self) -> int:
        """Core cycles that a byte takes on the line."""
        if not self._paced:
            return 0
        control = self.values[_CR1]
        data_bits = 9 if control & _M0 else 7 if control & _M1 else 8  # parity is one of them
        stop_bits = 2 if self.values[_CR2] >> 12 & 3 >= 2 else 1
        baud = baud_rate(self._wiring.kernel_clock_hz(), self._settings(control))
        bits = 1 + data_bits + stop_bits
        return round(bits * self._wiring.core_clock_hz() / baud) if baud else 0

    def _fetch(self) -> None:
        """Take what the far end has: it starts sending now, or after what it sent before."""
        if self._received or not self._wiring.receives():
            return
        data = self._link.receive(wait=False)
        if data:
            start = max(self._services.cycles, self._next_byte_at)
            self._next_byte_at = start + self._frame_cycles()
            self._received.extend(data)
            self._idle_at = NEVER

    def _update(self) -> None:
        """Bring interrupt and request lines to what the flags say; note when they change next."""
        now = self._services.cycles
        if self._received:
            last = self._next_byte_at + (len(self._received) - 1) * self._frame_cycles()
            self._idle_at = last + self._frame_cycles()
        elif self._paced and now >= self._idle_at:
            self._idle, self._idle_at = True, NEVER
        status, control = self._status(), self.values[_CR1]
        enabled = control & (_IDLEIE | _RXNEIE | _TCIE | _TXEIE)  # at the flags' places
        self._wiring.interrupt(bool(control & _UE and status & enabled))
        requests = self.values[_CR3]
        self._change.set(min(self._changes(now), default=NEVER))
        self._wiring.request("rx", bool(requests & _DMAR and status & _RXNE))
        self._wiring.request("tx", bool(requests & _DMAT and status & _TXE and self._on(_UE | _TE)))

    def _changes(self, now: int) -> list[int]:
        """When flags will change by themselves."""
        moments = [self._data_empty_at, self._sent_at, self._idle_at]
        if self._received:
            moments.append(self._next_byte_at)
        return [moment for moment in moments if now < moment < NEVER]

    def _pass_time(self) -> None:
        """A read of ISR: if the firmware only waits, let time pass until something happens."""
        if not self._polling.looping:
            return
        self._link.flush()
        if self._on(_UE | _RE):
            self._fetch()
            self._update()
        self._services.skip_to(min(self._changes(self._services.cycles), default=NEVER))

    def _listen(self) -> None:
        """Look for a byte; if the firmware does nothing but that, its time is taken away."""
        listening = self._listening
        listening.note()
        # The read behind a write of TDR may ask for TXE or TC: no reason to look for a byte.
        after_send = self._services.accesses == self._sent_at_access + 1
        if not listening.looping and (after_send or not listening.first):
            return
        self._link.flush()
        data = self._link.receive(wait=listening.looping)
        if data:
            self._received.extend(data)
            listening.end()
        elif listening.looping:
            self._services.stop_idle()


_PRESCALERS = (1, 2, 4, 6, 8, 10, 12, 16, 32, 64, 128, 256)  # RM0432 49.7.13
# RM0432 50.4.6 and ST's stm32l4xx_hal_uart.c: an LPUART divides 256 times its clock, by 0x300 up.
_LOW_POWER_STEPS, _LOW_POWER_LEAST = 256, 0x300
_LEAST = 16  # RM0385 31.5.4
TOLERANCE = 0.02
"""What a receiver of 8N1 frames forgives, as a part of the rate, both ends taken together."""


@dataclass(frozen=True, slots=True)
class BaudSettings:
    """What the firmware has written.

    Attributes:
        divider: BRR.
        oversample_by_8: CR1.OVER8.
        prescaler: PRESC; only the L4+ has it.
        low_power: It is an LPUART.
    """

    divider: int
    oversample_by_8: bool = False
    prescaler: int = 0
    low_power: bool = False


def divided_clock(kernel_hz: int, settings: BaudSettings) -> tuple[int, int]:
    """What is divided, in Hz, and by what; the baud rate is their quotient.

    RM0385 31.5.4: with OVER8 the clock counts double, and BRR[2:0] holds the divider's bits 3:1.
    """
    clock = kernel_hz // _PRESCALERS[min(settings.prescaler, len(_PRESCALERS) - 1)]
    divider = settings.divider
    if settings.low_power:
        return clock * _LOW_POWER_STEPS, divider
    if settings.oversample_by_8:
        return 2 * clock, (divider & 0xFFF0) | (divider & 7) << 1
    return clock, divider


def baud_rate(kernel_hz: int, settings: BaudSettings) -> float:
    """Bits a second; 0 with a divider that is too small."""
    clock, divider = divided_clock(kernel_hz, settings)
    least = _LOW_POWER_LEAST if settings.low_power else _LEAST
    return clock / divider if divider >= least else 0.0


def best_divider(kernel_hz: int, settings: BaudSettings, baud: int) -> int:
    """The divider that comes nearest to a rate."""
    return round(divided_clock(kernel_hz, settings)[0] / baud)
