# SPDX-License-Identifier: Apache-2.0
"""Mistakes in a port that silicon answers with silence or chance: the virtual board names them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.virtual.probe_board import ProbeBoard, word, words
from unas.errors import EmulatorError
from unas.virtual.machine.machine import Stop
from unas.virtual.stm32.clocks import HSI_HZ, Clocks
from unas.virtual.stm32.rcc_f7 import F7Supply, check, pll_hz, tree

PLL_216 = (
    0x29403604  # M=4 N=216 P=2 from 8 MHz: stm32-ports 2.1, composed from the CMSIS field positions
)
ENOUGH = 200_000
HSE_HZ = 8_000_000


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("BREAK_OVERDRIVE", "216000000 Hz without over-drive"),
        ("BREAK_LATENCY", "0 flash wait states; write FLASH_ACR.LATENCY = 7"),
        ("BREAK_BAUD", r"388489 baud .* write BRR = 469"),
        ("BREAK_FPU", "floating-point instruction while the FPU is off"),
    ],
)
def test_broken_rules_are_named(firmware: Callable[..., Path], broken: str, message: str) -> None:
    board = ProbeBoard(firmware(broken))
    with pytest.raises(EmulatorError, match=message):
        board.ask(b"W" + word(1))  # boots first


@pytest.mark.parametrize("broken", ["BREAK_PWREN", "BREAK_UART_CLOCK", "BREAK_PINS"])
def test_what_silicon_answers_with_silence(firmware: Callable[..., Path], broken: str) -> None:
    board = ProbeBoard(firmware(broken))
    assert board.machine.run(max_instructions=ENOUGH) is Stop.LIMIT
    assert board.line.from_board == b""


def test_cycle_counter_stands_still_behind_its_lock(firmware: Callable[..., Path]) -> None:
    board = ProbeBoard(firmware("BREAK_LOCK"))
    board.boot()
    assert words(board.ask(b"C")) == (0,)


def test_reset_runs_from_the_internal_oscillator() -> None:
    assert tree(0, 0x24003010, HSE_HZ) == Clocks(HSI_HZ, HSI_HZ, HSI_HZ, HSI_HZ)


def test_the_tree_of_the_port() -> None:
    assert tree(0x9402, PLL_216, HSE_HZ) == Clocks(
        216_000_000, 216_000_000, 54_000_000, 108_000_000
    )


@pytest.mark.parametrize(
    ("field", "divisor"),
    list(enumerate([1] * 8 + [2, 4, 8, 16, 64, 128, 256, 512])),  # RM0385 5.3.3
)
def test_bus_prescaler(field: int, divisor: int) -> None:
    assert tree(field << 4, 0, HSE_HZ).hclk_hz == HSI_HZ // divisor


@pytest.mark.parametrize(("field", "divisor"), list(enumerate([1] * 4 + [2, 4, 8, 16])))
def test_peripheral_prescalers(field: int, divisor: int) -> None:
    clocks = tree(field << 10 | field << 13, 0, HSE_HZ)
    assert clocks.pclk1_hz == clocks.pclk2_hz == HSI_HZ // divisor


@pytest.mark.parametrize(
    ("pllcfgr", "message"),
    [
        (0x29403601, "M=1"),
        (0x29400000 | 433 << 6 | 4, "N=433"),
        (0x29400000 | 216 << 6 | 10, "VCO input of 800000 Hz"),
        (0x29400000 | 217 << 6 | 4, "VCO output of 434000000 Hz"),
    ],
)
def test_pll_limits(pllcfgr: int, message: str) -> None:
    with pytest.raises(EmulatorError, match=message):
        pll_hz(pllcfgr, HSE_HZ)


def test_limits_of_buses_and_regulator() -> None:
    fast = tree(0x9402, PLL_216, HSE_HZ)
    check(fast, F7Supply(7, 0b11, overdrive=True))
    with pytest.raises(EmulatorError, match="over 168000000"):
        check(fast, F7Supply(7, 0b10, overdrive=True))
    with pytest.raises(EmulatorError, match="6 flash wait states"):
        check(fast, F7Supply(6, 0b11, overdrive=True))
    with pytest.raises(EmulatorError, match="PCLK1 of 108000000 Hz"):
        check(tree(0x9002, PLL_216, HSE_HZ), F7Supply(7, 0b11, overdrive=True))
    with pytest.raises(EmulatorError, match="PCLK2 of 216000000 Hz"):
        check(tree(0x1402, PLL_216, HSE_HZ), F7Supply(7, 0b11, overdrive=True))
