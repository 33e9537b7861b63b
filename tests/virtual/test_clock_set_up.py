# SPDX-License-Identifier: Apache-2.0
"""RCC, PWR and FLASH of both chips: documented set-ups work, spoilt ones are named."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from tests.virtual.boot_sequences import (
    F7_216_MHZ,
    F7_FROM_HSI,
    L4_120_MHZ,
    L4_FINER,
    L4_FROM_HSE,
    L4_FROM_MSI,
    NeverReady,
    Step,
    changed,
    perform,
    without,
)
from unas.board import load_board
from unas.errors import EmulatorError
from unas.virtual.bus.registers import Bus
from unas.virtual.bus.rules import Rules
from unas.virtual.stm32.clocks import Clocks
from unas.virtual.stm32.rcc_f7 import F7ClockControl
from unas.virtual.stm32.rcc_l4 import L4ClockControl, msi_hz

F746, L4R5 = load_board("f746"), load_board("l4r5")
MHZ = 1_000_000


class Chip:
    """The clock control of a chip on a bus of its own."""

    def __init__(self, control: F7ClockControl | L4ClockControl) -> None:
        self.control = control
        self.bus = Bus((control.rcc, control.pwr, control.flash))

    def after(self, steps: Sequence[Step]) -> Clocks:
        perform(self.bus, steps)
        return self.control.clocks()

    def read(self, address: int) -> int:
        return self.bus.read(address, 4)

    def write(self, address: int, value: int) -> None:
        self.bus.write(address, 4, value)


def f7(hse_hz: int = F746.hse_hz, rules: Rules | None = None) -> Chip:
    board = dataclasses.replace(F746, hse_hz=hse_hz)
    return Chip(F7ClockControl(board, rules or Rules()))


def l4(hse_hz: int = L4R5.hse_hz, rules: Rules | None = None) -> Chip:
    board = dataclasses.replace(L4R5, hse_hz=hse_hz)
    return Chip(L4ClockControl(board, rules or Rules()))


L4_SLOW_FLASH = without(changed(L4_120_MHZ, "ACR", 0x704), "LATENCY")
Maker = Callable[..., Chip]
F7_CLOCKS = Clocks(216 * MHZ, 216 * MHZ, 54 * MHZ, 108 * MHZ)
L4_CLOCKS = Clocks(120 * MHZ, 120 * MHZ, 120 * MHZ, 120 * MHZ)


@pytest.mark.parametrize(
    ("make", "steps", "clocks"),
    [
        (f7, F7_216_MHZ, F7_CLOCKS),
        (f7, F7_FROM_HSI, F7_CLOCKS),
        (
            partial(f7, 25 * MHZ),
            changed(F7_216_MHZ, "PLLCFGR", 0x29406C19),
            F7_CLOCKS,
        ),  # M=25 N=432
        (l4, L4_120_MHZ, L4_CLOCKS),
        (l4, L4_FROM_MSI, L4_CLOCKS),
        (l4, L4_FINER, L4_CLOCKS),
        (partial(l4, 8 * MHZ), L4_FROM_HSE, L4_CLOCKS),
    ],
)
def test_documented_set_ups_reach_their_clocks(
    make: Maker, steps: Sequence[Step], clocks: Clocks
) -> None:
    assert make().after(steps) == clocks


@pytest.mark.parametrize(("make", "hz"), [(f7, 16 * MHZ), (l4, 4 * MHZ)])
def test_clocks_after_reset(make: Maker, hz: int) -> None:
    assert make().control.clocks() == Clocks(hz, hz, hz, hz)


def test_clocks_of_timers() -> None:
    assert (F7_CLOCKS.timer1_hz, F7_CLOCKS.timer2_hz) == (108 * MHZ, 216 * MHZ)  # ports 2.1
    assert (L4_CLOCKS.timer1_hz, L4_CLOCKS.timer2_hz) == (120 * MHZ, 120 * MHZ)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (L4_SLOW_FLASH, "120000000 Hz with 4 flash wait states; .* = 5"),
        (without(L4_120_MHZ, "ACR", "LATENCY"), "60000000 Hz with 0 flash wait states; .* = 2"),
        (without(L4_120_MHZ, "R1MODE"), "120000000 Hz over 80000000 Hz .* clear PWR_CR5.R1MODE"),
        (without(L4_120_MHZ, "HALF"), "HCLK jumps from 4000000 to 120000000 Hz; set RCC_CFGR.HPRE"),
        (without(L4_120_MHZ, "PWREN"), "over 80000000 Hz .*with PWREN on"),
        (without(L4_120_MHZ, "PLLON", "PLLRDY"), "selects an oscillator that is off"),
        (changed(L4_120_MHZ, "PLLCFGR", 0x01001F12), "SYSCLK 124000000 Hz over 120000000"),
        (changed(L4_120_MHZ, "PLLCFGR", 0x01002C12), "VCO output of 352000000 Hz"),
        (changed(L4_120_MHZ, "PLLCFGR", 0x01001E72), "VCO input of 2000000 Hz"),
        (changed(L4_120_MHZ, "PLLCFGR", 0x00001E12), "output R is off; set .*PLLREN"),
        (changed(L4_120_MHZ, "PLLCFGR", 0x01000712), "factor N=7"),
        (changed(L4_120_MHZ, "PLLCFGR", 0x01001E10), "no source"),
        (changed(L4_120_MHZ, "PLLCFGR", 0x01001E03), "no source"),  # the HSE, which is not there
    ],
)
def test_what_an_l4_would_not_survive_is_named(steps: Sequence[Step], message: str) -> None:
    with pytest.raises(EmulatorError, match=message):
        l4().after(steps)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (without(F7_216_MHZ, "ODSWEN", "ODSWRDY"), "216000000 Hz without over-drive"),
        (without(F7_216_MHZ, "ODEN", "ODRDY", "ODSWEN", "ODSWRDY"), "without over-drive"),
        (changed(F7_216_MHZ, "ACR", 0x306), None),
        (without(F7_216_MHZ, "ACR", "LATENCY"), "0 flash wait states; .* = 7"),
        (without(F7_216_MHZ, "PRESCALERS"), "PCLK1 of 216000000 Hz over 54000000"),
        (without(F7_216_MHZ, "PLLON"), None),
        (changed(F7_216_MHZ, "SW", 3), "SW = 3 is reserved|oscillator that is off"),
    ],
)
def test_what_an_f7_would_not_survive_is_named(steps: Sequence[Step], message: str | None) -> None:
    with pytest.raises(NeverReady if message is None else EmulatorError, match=message):
        f7().after(steps)


@pytest.mark.parametrize(
    ("make", "steps", "poll"),
    [
        (partial(f7, 0), F7_216_MHZ, "HSERDY"),
        (l4, L4_FROM_HSE, "HSERDY"),
        (f7, without(F7_216_MHZ, "PWREN"), "ODRDY"),
        (f7, without(F7_216_MHZ, "ODEN"), "ODRDY"),
        (l4, without(L4_120_MHZ, "HSION"), "HSIRDY"),
        (l4, without(L4_120_MHZ, "PLLON"), "PLLRDY"),
        (l4, without(L4_120_MHZ, "SW"), "SWS"),
    ],
)
def test_polls_that_never_end(make: Maker, steps: Sequence[Step], poll: str) -> None:
    with pytest.raises(NeverReady, match=poll):
        make().after(steps)


# Chip, address, value after reset: stm32-ports.md section 10.
RESETS = [
    (f7, 0x40023800, 0x00000083),
    (f7, 0x40023804, 0x24003010),
    (f7, 0x40023808, 0x00000000),
    (f7, 0x40023830, 0x00100000),
    (f7, 0x40023874, 0x0E000000),
    (f7, 0x40023890, 0x00000000),
    (f7, 0x40023C00, 0x00000000),
    (f7, 0x40023C10, 0x80000000),
    (l4, 0x40021000, 0x00000063),
    (l4, 0x40021008, 0x00000000),
    (l4, 0x4002100C, 0x00001000),
    (l4, 0x4002104C, 0x00000000),
    (l4, 0x40021058, 0x00000400),
    (l4, 0x4002105C, 0x00000000),
    (l4, 0x40021088, 0x00000000),
    (l4, 0x40021090, 0x00000000),
    (l4, 0x40021094, 0x0C000600),
    (l4, 0x40022000, 0x00000600),
    (l4, 0x40022010, 0x00000000),
    (l4, 0x40022014, 0xC0000000),
]


@pytest.mark.parametrize(("make", "address", "value"), RESETS)
def test_reset_values(make: Maker, address: int, value: int) -> None:
    assert make().read(address) == value


def test_power_control_needs_its_clock() -> None:
    for make, enable, control, value in (
        (f7, 0x40023840, 0x40007000, 0x0000C000),
        (l4, 0x40021058, 0x40007000, 0x00000200),
    ):
        chip = make()
        assert chip.read(control) == 0
        chip.write(control, 0xFFFF_FFFF)
        chip.write(enable, 1 << 28)
        assert chip.read(control) == value


def test_dual_bank_flash_of_the_l4() -> None:
    assert l4().read(0x40022020) >> 22 & 1 == 1  # FLASH_OPTR.DBANK


@pytest.mark.parametrize(
    ("make", "steps", "control", "configuration"),
    [(f7, F7_216_MHZ, 0x40023800, 0x40023804), (l4, L4_120_MHZ, 0x40021000, 0x4002100C)],
)
def test_a_running_pll_keeps_its_set_up(
    make: Maker, steps: Sequence[Step], control: int, configuration: int
) -> None:
    chip = make()
    chip.after(steps)
    before = chip.read(configuration)
    chip.write(configuration, before ^ 0x100)
    assert chip.read(configuration) == before
    chip.write(control, 0)  # and what drives the core stays on
    assert chip.read(control) & 0x03000000 == 0x03000000


def test_bypass_is_fixed_while_the_oscillator_is_on() -> None:
    for make, control in ((f7, 0x40023800), (l4, 0x40021000)):
        chip = make(8 * MHZ)
        chip.write(control, chip.read(control) | 1 << 16)
        chip.write(control, chip.read(control) | 1 << 18)
        assert chip.read(control) >> 16 & 7 == 0b011  # HSEON, HSERDY, no HSEBYP


@pytest.mark.parametrize(
    ("field", "hz"),
    list(enumerate([100_000, 200_000, 400_000, 800_000, 1, 2, 4, 8, 16, 24, 32, 48])),
)
def test_ranges_of_the_msi(field: int, hz: int) -> None:
    expected = hz if hz >= 1000 else hz * MHZ  # RM0432 6.4.1
    assert msi_hz(field << 4 | 1 << 3, 0) == expected
    assert msi_hz(0, field << 8) == expected


def test_a_slower_supply_than_the_clock_needs_is_refused() -> None:
    chip = l4()
    chip.after(L4_120_MHZ)
    for address, value, message in (
        (0x40022000, 0x704, "4 flash wait states"),
        (0x40007080, 0x100, "over 80000000 Hz"),
        (0x40007000, 0x400, "over 26000000 Hz"),
    ):
        with pytest.raises(EmulatorError, match=message):
            chip.write(address, value)


def test_range_2_has_limits_of_its_own() -> None:
    chip = l4()
    chip.write(0x40021058, 1 << 28)
    chip.write(0x40007000, 0x400)  # range 2: 26 MHz, 8 MHz a wait state
    with pytest.raises(EmulatorError, match=r"16000000 Hz with 0 .*LATENCY = 1"):
        perform(chip.bus, [*L4_120_MHZ[5:7], Step("SW", "set", 0x40021008, 3, 1)])


def test_breaches_are_told_once_where_other_firmware_runs() -> None:
    reported: list[str] = []
    chip = l4(rules=Rules(reported.append))
    assert chip.after(L4_SLOW_FLASH) == L4_CLOCKS
    chip.write(0x40022000, 0x705)
    chip.write(0x40022000, 0x704)
    (text,) = reported
    assert "4 flash wait states" in text


def test_low_speed_oscillators() -> None:
    for make, status, backup in ((f7, 0x40023874, 0x40023870), (l4, 0x40021094, 0x40021090)):
        chip = make()
        chip.write(status, 1)
        assert chip.read(status) & 3 == 3  # LSI
        perform(chip.bus, [F7_216_MHZ[0] if make is f7 else L4_120_MHZ[0]])
        chip.write(backup, 1)
        assert chip.read(backup) & 3 == 0  # the backup domain is locked
        chip.write(0x40007000, chip.read(0x40007000) | 1 << 8)  # DBP
        chip.write(backup, 1)
        assert chip.read(backup) & 3 == 3  # LSE


def test_flash_is_unlocked_by_its_keys_and_not_programmed() -> None:
    for make, key, control in ((f7, 0x40023C04, 0x40023C10), (l4, 0x40022008, 0x40022014)):
        chip = make()
        chip.write(control, 0)
        assert chip.read(control) >> 31 == 1
        for value in (0x45670123, 0xCDEF89AB):
            chip.write(key, value)
        assert chip.read(control) >> 31 == 0
        with pytest.raises(EmulatorError, match="programs flash"):
            chip.write(control, 1)
        chip.write(control, 1 << 31)
        assert chip.read(control) >> 31 == 1


def test_a_wrong_key_shuts_the_flash_until_reset() -> None:
    for make, key, control in ((f7, 0x40023C04, 0x40023C10), (l4, 0x40022008, 0x40022014)):
        chip = make()
        for value in (0xCDEF89AB, 0x45670123, 0xCDEF89AB):
            chip.write(key, value)
        assert chip.read(control) >> 31 == 1
        chip.bus.reset()
        for value in (0x45670123, 0xCDEF89AB):
            chip.write(key, value)
        assert chip.read(control) >> 31 == 0
