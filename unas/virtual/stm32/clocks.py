# SPDX-License-Identifier: Apache-2.0
"""Clock trees of STM32s as arithmetic: what the families share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from unas.errors import EmulatorError

HSI_HZ = 16_000_000  # RM0385 5.2.2, RM0432 6.2.3: the same in both families


@dataclass(frozen=True, slots=True)
class Clocks:
    """Frequencies in Hz."""

    sysclk_hz: int
    hclk_hz: int
    pclk1_hz: int
    pclk2_hz: int

    @property
    def timer1_hz(self) -> int:
        """Clock of the timers on APB1: PCLK1, or twice that behind a prescaler (RM0385 5.2)."""
        return min(self.hclk_hz, 2 * self.pclk1_hz)

    @property
    def timer2_hz(self) -> int:
        """Clock of the timers on APB2."""
        return min(self.hclk_hz, 2 * self.pclk2_hz)


@dataclass(frozen=True, slots=True)
class Range:
    """A range that a frequency inside a PLL must keep, in Hz, both ends included."""

    name: str
    low_hz: int
    high_hz: int


class ClockSource(Protocol):
    """What peripherals ask of the clock tree."""

    def clocks(self) -> Clocks:
        """Frequencies as configured now.

        Raises:
            EmulatorError: The PLL's settings are out of range.
        """

    def enabled(self, register: str, bit: int) -> bool:
        """Whether a peripheral's clock is on: that bit of that register of the RCC."""

    def choice(self, register: str, bit: int) -> int:
        """The two-bit clock choice at that place of the RCC."""


def rule_broken(what: str, remedy: str) -> EmulatorError:
    """The error for a set-up that silicon would not survive for sure."""
    return EmulatorError(f"clock rule broken: {what}; {remedy}")


def prescaled(hz: int, field: int, bits: int) -> int:
    """``hz`` behind an AHB (4-bit) or APB (3-bit) prescaler field; its lower half is /1."""
    half = 1 << (bits - 1)
    if field < half:
        return hz
    exponent = field - half + 1
    # RCC_CFGR.HPRE has no /32: 0b1100 is /64.
    return hz >> (exponent + 1 if bits == 4 and exponent >= 5 else exponent)


def check_range(hz: int, allowed: Range, remedy: str) -> None:
    """Hold a frequency against a range.

    Raises:
        EmulatorError: It is outside.
    """
    if not allowed.low_hz <= hz <= allowed.high_hz:
        raise rule_broken(
            f"{allowed.name} of {hz} Hz", f"{remedy} for {allowed.low_hz}..{allowed.high_hz} Hz"
        )


def check_wait_states(hclk_hz: int, wait_states: int, limits_hz: Sequence[int]) -> None:
    """Hold HCLK against the flash; ``limits_hz`` are the upper HCLK of 0, 1, 2… wait states.

    Raises:
        EmulatorError: The flash could not answer in time.
    """
    needed = next((n for n, top in enumerate(limits_hz) if hclk_hz <= top), None)
    if needed is None:
        raise rule_broken(
            f"HCLK {hclk_hz} Hz over {limits_hz[-1]} Hz", "lower it or raise the core's voltage"
        )
    if wait_states < needed:
        raise rule_broken(
            f"HCLK {hclk_hz} Hz with {wait_states} flash wait states",
            f"write FLASH_ACR.LATENCY = {needed} before RCC_CFGR.SW",
        )
