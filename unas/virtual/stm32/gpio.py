# SPDX-License-Identifier: Apache-2.0
"""GPIO ports of an STM32, as far as they route alternate functions.

Registers: RM0385 6.4, RM0432 8.4 (the same block; the L4+ adds BRR).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from unas.errors import EmulatorError
from unas.virtual.bus.registers import Peripheral, Register
from unas.virtual.bus.rules import Rules

_PORT_SPACING = 0x400
_MODER, _PUPDR, _ODR, _AFRL, _AFRH = 0x00, 0x0C, 0x14, 0x20, 0x24
_OUTPUT, _ANALOG = 0b01, 0b11
_PULL_UP = 0b01
_ALTERNATE = 0b10
_SWD_MODE = 0x3C000000  # GPIOA_MODER of PA13 and PA14


@dataclass(frozen=True, slots=True)
class PortReset:
    """MODER, OSPEEDR and PUPDR after reset."""

    moder: int
    ospeedr: int = 0
    pupdr: int = 0


@dataclass(frozen=True, slots=True)
class GpioFamily:
    """What tells one family's ports from another's.

    Attributes:
        base: Address of port A; the others follow, 1 KiB each.
        ports: Their letters.
        enable: RCC register whose bits 0, 1, … are the clocks of ports A, B, ….
        resets: Of the ports whose pins serve SWD or JTAG after reset.
        other: Of all other ports.
    """

    base: int
    ports: str
    enable: str
    resets: Mapping[str, PortReset]
    other: PortReset


class Gpio:
    """All ports.

    Args:
        family: Of which chip.
        enabled: Whether a bus clock is on, from RCC register and bit.
        rules: Says what it means to take the debug probe's pins away.
        powered: Whether a pin of a port has its supply.
    """

    def __init__(
        self,
        family: GpioFamily,
        enabled: Callable[[str, int], bool],
        rules: Rules,
        powered: Callable[[str, int], bool] = lambda port, pin: True,
    ) -> None:
        self._family = family
        self._enabled = enabled
        self._rules = rules
        self._powered = powered
        self.ports = {letter: self._port(index) for index, letter in enumerate(family.ports)}

    def routes(self, pin: str, function: int) -> bool:
        """Whether a pin, as ``"PD8"``, is switched to that alternate function and alive."""
        port, number = pin[1], int(pin[2:])
        registers = self.ports[port].values
        selected = registers[_AFRL if number < 8 else _AFRH] >> 4 * (number % 8) & 0xF
        routed = registers[_MODER] >> 2 * number & 3 == _ALTERNATE and selected == function
        return routed and self._powered(port, number)

    def _port(self, index: int) -> Peripheral:
        family = self._family
        letter = family.ports[index]
        after = family.resets.get(letter, family.other)
        table = (
            Register(_MODER, "MODER", after.moder, write=self._keep_swd if letter == "A" else None),
            Register(0x04, "OTYPER", writable=0xFFFF),
            Register(0x08, "OSPEEDR", after.ospeedr),
            Register(_PUPDR, "PUPDR", after.pupdr),
            Register(0x10, "IDR", 0, 0, lambda stored: self._levels(letter)),
            Register(_ODR, "ODR", writable=0xFFFF),
            Register(0x18, "BSRR", write=lambda old, new: self._set_reset(letter, new)),
            Register(0x1C, "LCKR"),
            Register(_AFRL, "AFRL"),
            Register(_AFRH, "AFRH"),
            Register(0x28, "BRR", write=lambda old, new: self._set_reset(letter, new << 16)),
        )
        base = family.base + index * _PORT_SPACING
        return Peripheral(
            f"GPIO{letter}",
            base,
            _PORT_SPACING,
            table,
            lambda: self._enabled(family.enable, index),
        )

    def _levels(self, letter: str) -> int:
        """What IDR reads: outputs as they are driven, inputs as they are pulled, else low."""
        values = self.ports[letter].values
        level = 0
        for pin in range(16):
            mode = values[_MODER] >> 2 * pin & 3
            pulled_up = values[_PUPDR] >> 2 * pin & 3 == _PULL_UP
            high = values[_ODR] >> pin & 1 if mode == _OUTPUT else pulled_up and mode != _ANALOG
            level |= bool(high) << pin
        return level

    def _set_reset(self, letter: str, bits: int) -> int:
        values = self.ports[letter].values
        values[_ODR] = (values[_ODR] & ~(bits >> 16) | bits) & 0xFFFF
        return 0

    def _keep_swd(self, old: int, new: int) -> int:
        if (old ^ new) & _SWD_MODE:
            self._rules.hold(_locked_out)
        return new


def _locked_out() -> None:
    raise EmulatorError(
        "GPIOA_MODER rule broken: PA13 and PA14 leave their SWD function, which locks a debug "
        "probe out; change only the bits of your pins"
    )
