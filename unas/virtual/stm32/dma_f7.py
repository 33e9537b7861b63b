# SPDX-License-Identifier: Apache-2.0
"""The DMA streams of an STM32F7: registers of RM0385 8.5, requests of its tables 25 and 26."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from unas.virtual.bus.registers import Register
from unas.virtual.core.chip import Services
from unas.virtual.core.exceptions import Exceptions
from unas.virtual.stm32.clocks import ClockSource
from unas.virtual.stm32.dma import COMPLETE, ERROR, HALF, Controller, Setup

_STREAMS = 8
_FIRST, _SPACING = 0x10, 0x18
_NDTR, _PAR, _M0AR = 0x04, 0x08, 0x0C
_FLAG_SHIFTS = (0, 6, 16, 22)  # of four streams, in LISR and HISR
_FLAG_BITS = {ERROR: 1 << 3, HALF: 1 << 4, COMPLETE: 1 << 5}
_ENABLE_BITS = {ERROR: 1 << 2, HALF: 1 << 3, COMPLETE: 1 << 4}
_MEMORY_TO_MEMORY = 2  # DIR; its source is PAR
_EN, _CIRC, _PINC, _MINC = 1 << 0, 1 << 8, 1 << 9, 1 << 10
_IRQS = {"DMA1": (*range(11, 18), 47), "DMA2": (*range(56, 61), 68, 69, 70)}
_REQUESTS = {  # (controller, stream, channel): UART and direction
    ("DMA1", 0, 4): ("UART5", "rx"),
    ("DMA1", 1, 4): ("USART3", "rx"),
    ("DMA1", 2, 4): ("UART4", "rx"),
    ("DMA1", 3, 4): ("USART3", "tx"),
    ("DMA1", 4, 4): ("UART4", "tx"),
    ("DMA1", 5, 4): ("USART2", "rx"),
    ("DMA1", 6, 4): ("USART2", "tx"),
    ("DMA1", 7, 4): ("UART5", "tx"),
    ("DMA1", 0, 5): ("UART8", "tx"),
    ("DMA1", 1, 5): ("UART7", "tx"),
    ("DMA1", 3, 5): ("UART7", "rx"),
    ("DMA1", 6, 5): ("UART8", "rx"),
    ("DMA1", 4, 7): ("USART3", "tx"),
    ("DMA2", 2, 4): ("USART1", "rx"),
    ("DMA2", 5, 4): ("USART1", "rx"),
    ("DMA2", 7, 4): ("USART1", "tx"),
    ("DMA2", 1, 5): ("USART6", "rx"),
    ("DMA2", 2, 5): ("USART6", "rx"),
    ("DMA2", 6, 5): ("USART6", "tx"),
    ("DMA2", 7, 5): ("USART6", "tx"),
}


class StreamController(Controller):
    """DMA1 or DMA2."""

    names: ClassVar = tuple(_IRQS)

    def _table(self) -> list[Register]:
        table = [
            Register(0x00, "LISR", 0, 0, lambda stored: self._status(0)),
            Register(0x04, "HISR", 0, 0, lambda stored: self._status(4)),
            Register(0x08, "LIFCR", write=self._clearer(0)),
            Register(0x0C, "HIFCR", write=self._clearer(4)),
        ]
        for index in range(_STREAMS):
            base = _FIRST + _SPACING * index
            table += [
                Register(base, f"S{index}CR", write=self._controller(index)),
                Register(base + _NDTR, f"S{index}NDTR", 0, 0xFFFF, *self._counter(index)),
                Register(base + _PAR, f"S{index}PAR"),
                Register(base + _M0AR, f"S{index}M0AR"),
                Register(base + 0x10, f"S{index}M1AR"),
                Register(base + 0x14, f"S{index}FCR", 0x21),
            ]
        return table

    def _status(self, first: int) -> int:
        value = 0
        for place, shift in enumerate(_FLAG_SHIFTS):
            flags = self.lanes[first + place].flags
            value |= sum(bit for flag, bit in _FLAG_BITS.items() if flags & flag) << shift
        return value

    def _clearer(self, first: int) -> Callable[[int, int], int]:
        def write(_: int, new: int) -> int:
            for place, shift in enumerate(_FLAG_SHIFTS):
                bits = new >> shift
                self.clear(first + place, sum(f for f, b in _FLAG_BITS.items() if bits & b))
            return 0

        return write

    def _controller(self, index: int) -> Callable[[int, int], int]:
        def write(old: int, new: int) -> int:
            self.values[_FIRST + _SPACING * index] = new
            if new & ~old & _EN:
                self.start(index)
            return self.values[_FIRST + _SPACING * index]  # it may have ended at once

        return write

    def _counter(self, index: int) -> tuple[Callable[[int], int], Callable[[int, int], int]]:
        def write(_: int, new: int) -> int:
            self.lanes[index].left = new
            return new

        return lambda stored: self.lanes[index].left, write

    def _setup(self, index: int) -> Setup:
        control = self.values[_FIRST + _SPACING * index]
        size = 1 << (control >> 11 & 3)
        return Setup(
            bool(control & _EN),
            control >> 6 & 3,
            bool(control & _CIRC),
            size if control & _PINC else 0,
            size if control & _MINC else 0,
            size,
            control >> 6 & 3 == _MEMORY_TO_MEMORY,
            sum(flag for flag, bit in _ENABLE_BITS.items() if control & bit),
        )

    def _addresses(self, index: int) -> tuple[int, int]:
        base = _FIRST + _SPACING * index
        return self.values[base + _PAR], self.values[base + _M0AR]

    def _source(self, index: int) -> tuple[str, str] | None:
        channel = self.values[_FIRST + _SPACING * index] >> 25 & 7
        return _REQUESTS.get((self.name, index, channel))

    def _finish(self, index: int) -> None:
        self.values[_FIRST + _SPACING * index] &= ~_EN


def build_streams(
    clock: ClockSource, exceptions: Exceptions, services: Services
) -> tuple[StreamController, ...]:
    """DMA1 and DMA2; RCC_AHB1ENR bits 21 and 22."""

    def build(number: int, name: str) -> StreamController:
        return StreamController(
            name,
            0x40026000 + 0x400 * number,
            _IRQS[name],
            exceptions,
            services,
            lambda: clock.enabled("AHB1ENR", 21 + number),
        )

    return tuple(build(number, name) for number, name in enumerate(StreamController.names))
