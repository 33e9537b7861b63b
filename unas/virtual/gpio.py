# SPDX-License-Identifier: Apache-2.0
"""GPIO ports of an STM32F7, as far as they route alternate functions.

Addresses and reset values: ST CMSIS header stm32f746xx.h, RM0385 6.4.
"""

from __future__ import annotations

from unas.errors import EmulatorError
from unas.virtual.rcc import ClockControl
from unas.virtual.registers import Peripheral, Register

_FIRST_PORT = 0x40020000
_PORT_SPACING = 0x400
_PORTS = "ABCDEFGHIJK"
_MODER, _ODR, _AFRL, _AFRH = 0x00, 0x14, 0x20, 0x24
_ALTERNATE = 0b10
# Ports whose pins serve SWD after reset: MODER, OSPEEDR, PUPDR.
_RESETS = {"A": (0xA8000000, 0x0C000000, 0x64000000), "B": (0x00000280, 0x000000C0, 0x00000100)}
_SWD_MODE = 0x3C000000  # GPIOA_MODER of PA13 and PA14


class Gpio:
    """All ports."""

    def __init__(self, clock: ClockControl) -> None:
        self._clock = clock
        self.ports = {letter: self._port(index, letter) for index, letter in enumerate(_PORTS)}

    def routes(self, port: str, pin: int, function: int) -> bool:
        """Whether a pin is switched to that alternate function."""
        registers = self.ports[port].values
        selected = registers[_AFRL if pin < 8 else _AFRH] >> 4 * (pin % 8) & 0xF
        return registers[_MODER] >> 2 * pin & 3 == _ALTERNATE and selected == function

    def _port(self, index: int, letter: str) -> Peripheral:
        moder, ospeedr, pupdr = _RESETS.get(letter, (0, 0, 0))
        table = (
            Register(_MODER, "MODER", moder, write=_keep_swd if letter == "A" else None),
            Register(0x04, "OTYPER", writable=0xFFFF),
            Register(0x08, "OSPEEDR", ospeedr),
            Register(0x0C, "PUPDR", pupdr),
            Register(0x10, "IDR", writable=0),
            Register(_ODR, "ODR", writable=0xFFFF),
            Register(0x18, "BSRR", write=lambda old, new: self._set_reset(letter, new)),
            Register(_AFRL, "AFRL"),
            Register(_AFRH, "AFRH"),
        )
        base = _FIRST_PORT + index * _PORT_SPACING
        return Peripheral(
            f"GPIO{letter}",
            base,
            _PORT_SPACING,
            table,
            lambda: self._clock.enabled("AHB1ENR", index),
        )

    def _set_reset(self, letter: str, bits: int) -> int:
        values = self.ports[letter].values
        values[_ODR] = (values[_ODR] & ~(bits >> 16) | bits) & 0xFFFF
        return 0


def _keep_swd(old: int, new: int) -> int:
    if (old ^ new) & _SWD_MODE:
        raise EmulatorError(
            "GPIOA_MODER rule broken: PA13 and PA14 leave their SWD function, which locks a debug "
            "probe out; change only the bits of your pins"
        )
    return new
