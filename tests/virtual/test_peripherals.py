# SPDX-License-Identifier: Apache-2.0
"""Timers and DMA register by register, without a core; RM0385 and RM0432."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.virtual.fake_services import FakeServices
from unas.virtual.bus.registers import Bus, Peripheral, Register
from unas.virtual.core.exceptions import Exceptions
from unas.virtual.stm32.clocks import Clocks
from unas.virtual.stm32.crc import Crc
from unas.virtual.stm32.dma_f7 import build_streams
from unas.virtual.stm32.dma_l4 import build_channels
from unas.virtual.stm32.timers import Timer, TimerPlace

CR1, DIER, SR, EGR, CNT, PSC, ARR, CCR1 = 0x00, 0x0C, 0x10, 0x14, 0x24, 0x28, 0x2C, 0x34
PLACE = TimerPlace("TIM2", 0x40000000, ("APB1ENR", 0), (28,), bits=32)
RAM = 0x20000000
UART_DATA = 0x40013000


@dataclass
class Tree:
    """A clock tree that stands still."""

    now: Clocks = field(default_factory=lambda: Clocks(216, 216, 54, 108))

    def clocks(self) -> Clocks:
        return self.now

    def enabled(self, register: str, bit: int) -> bool:
        return True

    def choice(self, register: str, bit: int) -> int:
        return 0


class Counter:
    """A timer as RM0385 26.3.1 has it: one timer clock after the other."""

    def __init__(self, prescaler: int, reload: int, compare: int) -> None:
        self.prescaler, self.reload, self.compare = prescaler, reload, compare
        self.fraction = self.count = self.flags = 0

    def clock(self) -> None:
        self.fraction += 1
        if self.fraction <= self.prescaler:
            return
        self.fraction = 0
        self.count += 1
        if self.count > self.reload:
            self.count = 0
            self.flags |= 1
        if self.count == self.compare:
            self.flags |= 2


@given(
    prescaler=st.integers(0, 5),
    reload=st.integers(1, 30),
    compare=st.integers(0, 40),
    interrupts=st.integers(0, 3),
    looks=st.lists(st.integers(0, 200), min_size=1, max_size=20),
)
@settings(max_examples=300, deadline=None)
def test_a_timer_against_one_that_counts(
    prescaler: int, reload: int, compare: int, interrupts: int, looks: list[int]
) -> None:
    services, exceptions = FakeServices(), Exceptions(64)
    timer = Timer(PLACE, Tree(), exceptions, services)
    timer.clocks_changed()  # PCLK1 = HCLK / 4: timers on APB1 run at half the core's clock
    for offset, value in ((PSC, prescaler), (ARR, reload), (CCR1, compare), (EGR, 1), (SR, 0)):
        timer.write(offset, value)
    timer.write(DIER, interrupts)
    timer.write(CR1, 1)
    counter = Counter(prescaler, reload, compare)
    for wait in looks:
        for _ in range(wait):
            services.advance(1)
            if services.cycles % 2 == 0:
                counter.clock()
            raised = bool(counter.flags & interrupts)
            assert bool(exceptions.asserted >> (16 + 28) & 1) == raised
        assert timer.read(CNT) == counter.count
        assert timer.read(SR) & 3 == counter.flags
        timer.write(SR, 0)
        counter.flags = 0


def test_a_new_prescaler_waits_for_the_update() -> None:
    services = FakeServices()
    timer = Timer(PLACE, Tree(Clocks(16, 16, 16, 16)), Exceptions(64), services)
    timer.clocks_changed()
    timer.write(ARR, 9)
    timer.write(CR1, 1)
    services.advance(5)
    timer.write(PSC, 3)
    services.advance(4)
    assert timer.read(CNT) == 9
    services.advance(1 + 4)
    assert timer.read(CNT) == 1  # from the overflow on, four clocks a count


class Line(Peripheral):
    """A data register whose writes are kept, and whose reads count up.

    Attributes:
        fall: Called when it was read as often as it asked to.
    """

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.next = 0
        self.fall: Callable[[], None] = lambda: None
        table = (Register(0x00, "DR", read=self._give, write=self._take),)
        super().__init__("UART", UART_DATA, 0x400, table)

    def _give(self, stored: int) -> int:
        self.next += 1
        self.fall()
        return self.next

    def _take(self, old: int, new: int) -> int:
        self.sent.append(new)
        return 0


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_stream_receives_in_a_circle(line: Line) -> None:
    services, exceptions = FakeServices(), Exceptions(98)
    dma, _ = build_streams(Tree(), exceptions, services)
    services.bus = Bus((line, dma))
    line.fall = lambda: dma.request("USART3", "rx", False)
    stream = 0x10 + 0x18  # USART3_RX: stream 1, channel 4
    dma.write(stream + 8, UART_DATA)
    dma.write(stream + 12, RAM)
    dma.write(stream + 4, 4)
    dma.write(stream, 4 << 25 | 1 << 10 | 1 << 8 | 1 << 4 | 1 << 3 | 1)
    for expected_left, expected_flags in ((3, 0), (2, 0x10), (1, 0x10), (4, 0x30), (3, 0x30)):
        dma.request("USART3", "rx", True)  # falls as the byte is read
        assert dma.read(stream + 4) == expected_left
        assert dma.read(0) >> 6 == expected_flags
    assert [services.memory[RAM + i] for i in range(4)] == [5, 2, 3, 4]
    assert exceptions.pending == 1 << (16 + 12)
    dma.write(0x08, 0x30 << 6)
    assert dma.read(0) == 0
    assert not exceptions.asserted


def test_a_channel_sends_through_the_multiplexer(line: Line) -> None:
    services, exceptions = FakeServices(), Exceptions(98)
    (_, dma), mux = build_channels(Tree(), exceptions, services)
    services.bus = Bus((line, dma))
    services.memory.update(enumerate(b"abc", RAM))
    channel = 0x08 + 0x14 * 2  # channel 3 of DMA2: lane 9 of the multiplexer
    mux.write(4 * 9, 35)  # LPUART1_TX
    dma.write(channel + 8, UART_DATA)
    dma.write(channel + 12, RAM)
    dma.write(channel + 4, 3)
    dma.write(channel, 1 << 7 | 1 << 4 | 1 << 1 | 1)
    assert line.sent == []
    dma.request("USART1", "tx", True)
    assert line.sent == []
    dma.request("LPUART1", "tx", True)
    assert bytes(line.sent) == b"abc"
    assert dma.read(0) == 0b0111 << 8  # GIF, TCIF, HTIF of channel 3
    assert dma.read(channel + 4) == 0
    assert exceptions.pending == 1 << (16 + 58)
    dma.write(4, 1 << 8)  # CGIF clears all of them
    assert dma.read(0) == 0


def test_memory_to_memory_needs_no_request() -> None:
    services = FakeServices()
    _, dma = build_streams(Tree(), Exceptions(98), services)
    services.memory.update(enumerate(bytes(range(1, 9)), RAM))
    for offset, value in ((0x10 + 8, RAM), (0x10 + 12, RAM + 0x100), (0x10 + 4, 2)):
        dma.write(offset, value)
    dma.write(0x10, 2 << 13 | 2 << 11 | 1 << 10 | 1 << 9 | 2 << 6 | 1)  # words, both grow
    assert bytes(services.memory[RAM + 0x100 + i] for i in range(8)) == bytes(range(1, 9))
    assert dma.read(0x10) & 1 == 0


@pytest.mark.parametrize(
    ("control", "final", "name"),
    # Check values of "123456789": the catalogue of parametrised CRC algorithms.
    [
        (0, 0x0376E6E7, "CRC-32/MPEG-2"),
        (1 << 7 | 1 << 5, 0xCBF43926 ^ 0xFFFFFFFF, "CRC-32/ISO-HDLC"),
    ],
)
def test_checksums_as_others_make_them(control: int, final: int, name: str) -> None:
    crc = Crc(lambda: True)
    bus = Bus((crc,))
    bus.write(0x40023008, 4, control | 1)
    for byte in b"123456789":
        bus.write(0x40023000, 1, byte)
    assert bus.read(0x40023000, 4) == final, name


def test_a_word_counts_as_its_bytes_from_the_top() -> None:
    words, singles = Crc(lambda: True), Crc(lambda: True)
    words.write(0, 0x31323334)
    for byte in b"1234":
        singles.write_narrow(0, 1, byte)
    assert words.read(0) == singles.read(0)
