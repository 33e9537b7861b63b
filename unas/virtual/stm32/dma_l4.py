# SPDX-License-Identifier: Apache-2.0
"""The DMA channels of an STM32L4+: registers of RM0432 11.6 and 12.6, requests of its table 52."""

from __future__ import annotations

from collections.abc import Callable

from unas.virtual.bus.registers import Peripheral, Register
from unas.virtual.core.chip import Services
from unas.virtual.core.exceptions import Exceptions
from unas.virtual.stm32.clocks import ClockSource
from unas.virtual.stm32.dma import (
    COMPLETE,
    ERROR,
    HALF,
    TO_MEMORY,
    TO_PERIPHERAL,
    Controller,
    Setup,
)

_CHANNELS = 7
_FIRST, _SPACING = 0x08, 0x14
_CNDTR, _CPAR, _CMAR = 0x04, 0x08, 0x0C
_FLAG_BITS = {COMPLETE: 1 << 1, HALF: 1 << 2, ERROR: 1 << 3}  # of four; the lowest is any of them
_ENABLE_BITS = {COMPLETE: 1 << 1, HALF: 1 << 2, ERROR: 1 << 3}
_EN, _DIR, _CIRC, _PINC, _MINC, _MEM2MEM = (1 << bit for bit in (0, 4, 5, 6, 7, 14))
_IRQS = {"DMA1": tuple(range(11, 18)), "DMA2": (*range(56, 61), 68, 69)}
_UARTS = ("USART1", "USART2", "USART3", "UART4", "UART5", "LPUART1")
_FIRST_UART_REQUEST = 24  # ST stm32l4xx_hal_dma.h: DMA_REQUEST_USART1_RX; then TX, then the next
_MUX_LANES = 14


class ChannelController(Controller):
    """DMA1 or DMA2."""

    def __init__(
        self,
        number: int,
        mux: Peripheral,
        clock: ClockSource,
        exceptions: Exceptions,
        services: Services,
    ) -> None:
        self._mux = mux
        self._first_mux_lane = _CHANNELS * number
        name = f"DMA{number + 1}"
        super().__init__(
            name,
            0x40020000 + 0x400 * number,
            _IRQS[name],
            exceptions,
            services,
            lambda: clock.enabled("AHB1ENR", number),
        )

    def _table(self) -> list[Register]:
        table = [
            Register(0x00, "ISR", 0, 0, lambda stored: self._status()),
            Register(0x04, "IFCR", write=self._clear_flags),
        ]
        for index in range(_CHANNELS):
            base = _FIRST + _SPACING * index
            table += [
                Register(base, f"CCR{index + 1}", 0, 0x7FFF, write=self._controller(index)),
                Register(base + _CNDTR, f"CNDTR{index + 1}", 0, 0xFFFF, *self._counter(index)),
                Register(base + _CPAR, f"CPAR{index + 1}"),
                Register(base + _CMAR, f"CMAR{index + 1}"),
            ]
        return table

    def _status(self) -> int:
        value = 0
        for index, channel in enumerate(self.lanes):
            bits = sum(bit for flag, bit in _FLAG_BITS.items() if channel.flags & flag)
            value |= (bits | bool(bits)) << 4 * index
        return value

    def _clear_flags(self, _: int, new: int) -> int:
        for index in range(_CHANNELS):
            bits = new >> 4 * index
            if bits & 1:
                bits = 0xF
            self.clear(index, sum(flag for flag, bit in _FLAG_BITS.items() if bits & bit))
        return 0

    def _controller(self, index: int) -> Callable[[int, int], int]:
        def write(old: int, new: int) -> int:
            self.values[_FIRST + _SPACING * index] = new
            if new & ~old & _EN:
                self.start(index)
            return new

        return write

    def _counter(self, index: int) -> tuple[Callable[[int], int], Callable[[int, int], int]]:
        def write(_: int, new: int) -> int:
            self.lanes[index].left = new
            return new

        return lambda stored: self.lanes[index].left, write

    def _setup(self, index: int) -> Setup:
        control = self.values[_FIRST + _SPACING * index]
        direction = TO_PERIPHERAL if control & _DIR else TO_MEMORY
        size = 1 << (control >> 8 & 3)
        return Setup(
            bool(control & _EN),
            direction,
            bool(control & _CIRC),
            size if control & _PINC else 0,
            size if control & _MINC else 0,
            size,
            bool(control & _MEM2MEM),
            sum(flag for flag, bit in _ENABLE_BITS.items() if control & bit),
        )

    def _addresses(self, index: int) -> tuple[int, int]:
        base = _FIRST + _SPACING * index
        return self.values[base + _CPAR], self.values[base + _CMAR]

    def _source(self, index: int) -> tuple[str, str] | None:
        number = self._mux.values[4 * (self._first_mux_lane + index)] & 0x7F
        place, direction = divmod(number - _FIRST_UART_REQUEST, 2)
        if not 0 <= place < len(_UARTS):
            return None
        return _UARTS[place], ("rx", "tx")[direction]

    def _finish(self, index: int) -> None:
        """The channel stays on, with nothing to do."""


def build_channels(
    clock: ClockSource, exceptions: Exceptions, services: Services
) -> tuple[tuple[ChannelController, ...], Peripheral]:
    """DMA1 and DMA2, and the multiplexer that gives them their requests."""
    mux = Peripheral(
        "DMAMUX1",
        0x40020800,
        0x400,
        (
            *(
                Register(4 * channel, f"C{channel}CR", 0, 0x1FF7_137F)
                for channel in range(_MUX_LANES)
            ),
            Register(0x80, "CSR", 0, 0),
            Register(0x84, "CFR", write=lambda old, new: 0),
            *(Register(0x100 + 4 * n, f"RG{n}CR") for n in range(4)),
            Register(0x140, "RGSR", 0, 0),
            Register(0x144, "RGCFR", write=lambda old, new: 0),
        ),
        lambda: clock.enabled("AHB1ENR", 2),
    )
    controllers = tuple(ChannelController(n, mux, clock, exceptions, services) for n in range(2))
    return controllers, mux
