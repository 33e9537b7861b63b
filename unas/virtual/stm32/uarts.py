# SPDX-License-Identifier: Apache-2.0
"""All UARTs of a chip as a table; one of them is the board's console."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from unas.board import Board, Console
from unas.errors import EmulatorError
from unas.virtual.bus.link import ByteLink, NotifyingLink
from unas.virtual.core.chip import Services
from unas.virtual.core.exceptions import Exceptions
from unas.virtual.stm32.clocks import HSI_HZ, ClockSource
from unas.virtual.stm32.gpio import Gpio
from unas.virtual.stm32.usart import Usart, Wiring

_LSE = 3
AUTO = "auto"
"""Console: the UART that is first to send or to listen."""


@dataclass(frozen=True, slots=True)
class UartPlace:
    """One UART as data.

    Attributes:
        name: As the reference manual has it.
        base: Address.
        enable: RCC register and bit of its bus clock.
        choice: RCC register and bit of its kernel clock: PCLK, SYSCLK, HSI or LSE.
        function: Alternate function of its pins.
        interrupt: Its number in the NVIC.
        bus: 1: PCLK1, 2: PCLK2.
    """

    name: str
    base: int
    enable: tuple[str, int]
    choice: tuple[str, int]
    function: int
    interrupt: int
    bus: int = 1


class _NoFarEnd:
    """What a UART talks to that is wired to nobody."""

    def send(self, byte: int) -> None:
        """The byte is lost."""

    def flush(self) -> None:
        """Nothing is held."""

    def receive(self, *, wait: bool) -> bytes:
        """Nothing comes."""
        return b""


class _FirstComer:
    """The far end of all UARTs, for the first of them that wants it.

    Attributes:
        owner: Its name.
    """

    def __init__(self, link: ByteLink) -> None:
        self.link = link
        self.owner: str | None = None


class _Claim:
    """One UART's end of a ``_FirstComer``."""

    def __init__(self, line: _FirstComer, name: str) -> None:
        self._line, self._name = line, name

    def _mine(self) -> bool:
        self._line.owner = self._line.owner or self._name
        return self._line.owner == self._name

    def send(self, byte: int) -> None:
        """See ``ByteLink.send``."""
        if self._mine():
            self._line.link.send(byte)

    def flush(self) -> None:
        """See ``ByteLink.flush``."""
        if self._mine():
            self._line.link.flush()

    def receive(self, *, wait: bool) -> bytes:
        """See ``ByteLink.receive``."""
        return self._line.link.receive(wait=wait) if self._mine() else b""


def _no_request(uart: str, direction: str, high: bool) -> None:
    """There is no DMA."""


@dataclass(frozen=True, slots=True)
class UartWiring:
    """What UARTs are connected to inside the chip.

    Attributes:
        clock: The clock tree.
        gpio: The pins.
        exceptions: The interrupt controller.
        request: Sets the level of a DMA request: UART, ``"rx"`` or ``"tx"``, level.
    """

    clock: ClockSource
    gpio: Gpio
    exceptions: Exceptions
    request: Callable[[str, str, bool], None] = _no_request


def build_uarts(
    places: Iterable[UartPlace],
    board: Board,
    services: Services,
    link: ByteLink,
    around: UartWiring,
) -> tuple[Usart, ...]:
    """Make them, the console on the link: the board's, or the one that the conduct names.

    Raises:
        EmulatorError: The chip has no such console.
    """
    places = tuple(places)
    wanted = services.strictness.uart or (board.console and board.console.uart)
    names = [place.name.lower() for place in places]
    if wanted not in (*names, AUTO):
        raise EmulatorError(
            f"board {board.id}: its console cannot be {wanted!r}; name one of {', '.join(names)}"
        )
    line = _FirstComer(link)
    far_ends: dict[str, ByteLink] = {name: _NoFarEnd() for name in names}
    if wanted == AUTO:
        far_ends = {name: _Claim(line, name) for name in names}
    else:
        far_ends[wanted] = link
    console = None if services.strictness.uart else board.console
    uarts = []
    for place in places:
        far_end = far_ends[place.name.lower()]
        wiring = _wiring(place, board, services, around, console if far_end is link else None)
        uart = Usart(place.name, place.base, wiring, far_end, services)
        if isinstance(link, NotifyingLink):
            link.listeners.append(uart.bytes_came)
        uarts.append(uart)
    return tuple(uarts)


def _wiring(
    place: UartPlace,
    board: Board,
    services: Services,
    around: UartWiring,
    console: Console | None,
) -> Wiring:
    clock = around.clock

    def kernel_clock_hz() -> int:
        clocks = clock.clocks()
        choice = clock.choice(*place.choice)
        if choice == _LSE:
            return board.lse_hz
        return ((0, clocks.pclk1_hz, clocks.pclk2_hz)[place.bus], clocks.sysclk_hz, HSI_HZ)[choice]

    def routed(pin: str | None) -> bool:
        # The console's pins lead to the debug probe; whoever names none takes any.
        return pin is None or around.gpio.routes(pin, place.function)

    return Wiring(
        board.baud if console else None,
        services.rules,
        kernel_clock_hz,
        lambda: clock.clocks().hclk_hz,
        clocked=lambda: clock.enabled(*place.enable),
        transmits=lambda: routed(console.tx if console else None),
        receives=lambda: routed(console.rx if console else None),
        interrupt=lambda high: around.exceptions.set_line(place.interrupt, high),
        request=lambda direction, high: around.request(place.name, direction, high),
        low_power=place.name.startswith("LP"),
    )
