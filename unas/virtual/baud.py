# SPDX-License-Identifier: Apache-2.0
"""The baud rate that an STM32's UART makes of its clock and its divider."""

from __future__ import annotations

from dataclasses import dataclass

_PRESCALERS = (1, 2, 4, 6, 8, 10, 12, 16, 32, 64, 128, 256)  # RM0432 49.7.13
# RM0432 50.4.6 and ST's stm32l4xx_hal_uart.c: an LPUART divides 256 times its clock, by 0x300 up.
_LOW_POWER_STEPS, _LOW_POWER_LEAST = 256, 0x300
_LEAST = 16  # RM0385 31.5.4
TOLERANCE = 0.02
"""What a receiver of 8N1 frames forgives, as a part of the rate, both ends taken together."""


@dataclass(frozen=True, slots=True)
class BaudSettings:
    """What the firmware has written.

    Attributes:
        divider: BRR.
        oversample_by_8: CR1.OVER8.
        prescaler: PRESC; only the L4+ has it.
        low_power: It is an LPUART.
    """

    divider: int
    oversample_by_8: bool = False
    prescaler: int = 0
    low_power: bool = False


def divided_clock(kernel_hz: int, settings: BaudSettings) -> tuple[int, int]:
    """What is divided, in Hz, and by what; the baud rate is their quotient.

    RM0385 31.5.4: with OVER8 the clock counts double, and BRR[2:0] holds the divider's bits 3:1.
    """
    clock = kernel_hz // _PRESCALERS[min(settings.prescaler, len(_PRESCALERS) - 1)]
    divider = settings.divider
    if settings.low_power:
        return clock * _LOW_POWER_STEPS, divider
    if settings.oversample_by_8:
        return 2 * clock, (divider & 0xFFF0) | (divider & 7) << 1
    return clock, divider


def baud_rate(kernel_hz: int, settings: BaudSettings) -> float:
    """Bits a second; 0 with a divider that is too small."""
    clock, divider = divided_clock(kernel_hz, settings)
    least = _LOW_POWER_LEAST if settings.low_power else _LEAST
    return clock / divider if divider >= least else 0.0


def best_divider(kernel_hz: int, settings: BaudSettings, baud: int) -> int:
    """The divider that comes nearest to a rate."""
    return round(divided_clock(kernel_hz, settings)[0] / baud)
