# SPDX-License-Identifier: Apache-2.0
"""Baud rates, consoles, and the pins they need."""

from __future__ import annotations

import pytest

from unas.board import load_board
from unas.errors import EmulatorError
from unas.virtual.bus.rules import Rules
from unas.virtual.stm32.gpio import Gpio, GpioFamily, PortReset
from unas.virtual.stm32.rcc_l4 import L4ClockControl
from unas.virtual.stm32.usart import TOLERANCE, BaudSettings, baud_rate, best_divider

MHZ = 1_000_000
# Kernel clock, baud, low power, BRR, error in percent: ../shared/design/stm32-ports.md section 3.
TABLE = [
    (54 * MHZ, 115200, False, 0x1D5, -0.053),
    (54 * MHZ, 921600, False, 0x3B, -0.689),
    (216 * MHZ, 115200, False, 0x753, 0.0),
    (216 * MHZ, 921600, False, 0xEA, 0.160),
    (16 * MHZ, 115200, False, 0x8B, -0.080),
    (16 * MHZ, 921600, False, 0x11, 2.124),
    (120 * MHZ, 115200, True, 0x411AB, 0.000),
    (120 * MHZ, 921600, True, 0x8235, 0.001),
    (16 * MHZ, 115200, True, 0x8AE4, -0.001),
    (16 * MHZ, 921600, True, 0x115C, 0.010),
    (4 * MHZ, 115200, True, 0x22B9, -0.001),
    (4 * MHZ, 921600, True, 0x457, 0.010),
]


@pytest.mark.parametrize(("clock", "baud", "low_power", "divider", "percent"), TABLE)
def test_rates_of_the_table(
    clock: int, baud: int, low_power: bool, divider: int, percent: float
) -> None:
    settings = BaudSettings(divider, low_power=low_power)
    # The table tells the error of the bit time in places: of either sign, to a thousandth.
    error = 100 * (baud_rate(clock, settings) / baud - 1)
    assert abs(error) == pytest.approx(abs(percent), abs=0.0006)
    assert best_divider(clock, settings, baud) == divider
    assert (abs(error) / 100 > TOLERANCE) == (percent == 2.124)  # "too far"


def test_dividers_that_are_too_small_give_nothing() -> None:
    assert baud_rate(16 * MHZ, BaudSettings(15)) == 0
    assert baud_rate(16 * MHZ, BaudSettings(0x2FF, low_power=True)) == 0


def test_oversampling_by_8_and_prescalers() -> None:
    # RM0385 31.5.4, example: 8 MHz, 9600 baud, OVER8: USARTDIV = 0x683, BRR = 0x681.
    assert baud_rate(8 * MHZ, BaudSettings(0x681, oversample_by_8=True)) == pytest.approx(
        9600, rel=0.001
    )
    assert baud_rate(120 * MHZ, BaudSettings(100, prescaler=3)) == 120 * MHZ / 6 / 100


@pytest.mark.parametrize(
    ("name", "uart", "pins"),
    [("f746", "usart3", ("PD8", "PD9")), ("l4r5", "lpuart1", ("PG7", "PG8"))],
)
def test_consoles_of_the_boards(name: str, uart: str, pins: tuple[str, str]) -> None:
    console = load_board(name).console
    assert console is not None
    assert (console.uart, (console.tx, console.rx)) == (uart, pins)  # stm32-ports.md section 3


def _ports(powered: bool = True) -> Gpio:
    family = GpioFamily(0x48000000, "ABG", "AHB2ENR", {}, PortReset(0xFFFFFFFF))
    return Gpio(family, lambda register, bit: True, Rules(), lambda port, pin: powered)


def test_a_pin_is_routed_by_mode_function_and_supply() -> None:
    gpio = _ports()
    gpio.ports["G"].write(0x20, 8 << 28)  # AFRL: PG7 = AF8
    assert not gpio.routes("PG7", 8)  # analog
    gpio.ports["G"].write(0x00, 0b10 << 14)
    assert gpio.routes("PG7", 8)
    assert not gpio.routes("PG7", 7)
    assert not gpio.routes("PG8", 8)
    unpowered = _ports(powered=False)
    unpowered.ports["G"].values = dict(gpio.ports["G"].values)
    assert not unpowered.routes("PG7", 8)


def test_levels_of_pins() -> None:
    port = _ports().ports["B"]
    port.write(0x0C, 0b01_01_01)  # pull-ups at pins 0, 1 and 2
    port.write(0x00, 0b01_01_11_00)  # input, analog, output, output
    port.write(0x18, 1 << 3 | 1 << (16 + 2))  # pin 3 high, pin 2 low
    assert port.read(0x10) & 0xF == 0b1001
    port.write(0x28, 1 << 3)  # BRR
    assert port.read(0x10) & 0xF == 0b0001


def test_the_debug_probe_keeps_its_pins() -> None:
    port = _ports().ports["A"]
    with pytest.raises(EmulatorError, match="PA13 and PA14"):
        port.write(0x00, 0)


def test_the_uart_of_the_port_needs_the_supply_of_its_pins() -> None:
    control = L4ClockControl(load_board("l4r5"), Rules())
    assert not control.powers("G", 7)
    assert control.powers("G", 1)
    assert control.powers("C", 7)
    control.rcc.write(0x58, 1 << 28)  # PWREN
    control.pwr.write(0x04, 1 << 9)  # IOSV
    assert control.powers("G", 7)
