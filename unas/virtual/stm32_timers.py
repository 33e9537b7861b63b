# SPDX-License-Identifier: Apache-2.0
"""Where the timers of the chips are: ST CMSIS headers stm32f746xx.h and stm32l4r5xx.h."""

from __future__ import annotations

from collections.abc import Iterable

from unas.virtual.chip import Services
from unas.virtual.clocks import ClockSource
from unas.virtual.exceptions import Exceptions
from unas.virtual.timers import Timer, TimerPlace

F7_TIMERS = (
    TimerPlace("TIM2", 0x40000000, ("APB1ENR", 0), (28,), bits=32),
    TimerPlace("TIM3", 0x40000400, ("APB1ENR", 1), (29,)),
    TimerPlace("TIM4", 0x40000800, ("APB1ENR", 2), (30,)),
    TimerPlace("TIM5", 0x40000C00, ("APB1ENR", 3), (50,), bits=32),
    TimerPlace("TIM6", 0x40001000, ("APB1ENR", 4), (54,), channels=0),
    TimerPlace("TIM7", 0x40001400, ("APB1ENR", 5), (55,), channels=0),
    TimerPlace("TIM12", 0x40001800, ("APB1ENR", 6), (43,), channels=2),
    TimerPlace("TIM13", 0x40001C00, ("APB1ENR", 7), (44,), channels=1),
    TimerPlace("TIM14", 0x40002000, ("APB1ENR", 8), (45,), channels=1),
    TimerPlace("TIM1", 0x40010000, ("APB2ENR", 0), (25, 27), bus=2),
    TimerPlace("TIM8", 0x40010400, ("APB2ENR", 1), (44, 46), bus=2),
    TimerPlace("TIM9", 0x40014000, ("APB2ENR", 16), (24,), bus=2, channels=2),
    TimerPlace("TIM10", 0x40014400, ("APB2ENR", 17), (25,), bus=2, channels=1),
    TimerPlace("TIM11", 0x40014800, ("APB2ENR", 18), (26,), bus=2, channels=1),
)
L4_TIMERS = (
    TimerPlace("TIM2", 0x40000000, ("APB1ENR1", 0), (28,), bits=32),
    TimerPlace("TIM3", 0x40000400, ("APB1ENR1", 1), (29,)),
    TimerPlace("TIM4", 0x40000800, ("APB1ENR1", 2), (30,)),
    TimerPlace("TIM5", 0x40000C00, ("APB1ENR1", 3), (50,), bits=32),
    TimerPlace("TIM6", 0x40001000, ("APB1ENR1", 4), (54,), channels=0),
    TimerPlace("TIM7", 0x40001400, ("APB1ENR1", 5), (55,), channels=0),
    TimerPlace("TIM1", 0x40012C00, ("APB2ENR", 11), (25, 27), bus=2),
    TimerPlace("TIM8", 0x40013400, ("APB2ENR", 13), (44, 46), bus=2),
    TimerPlace("TIM15", 0x40014000, ("APB2ENR", 16), (24,), bus=2, channels=2),
    TimerPlace("TIM16", 0x40014400, ("APB2ENR", 17), (25,), bus=2, channels=1),
    TimerPlace("TIM17", 0x40014800, ("APB2ENR", 18), (26,), bus=2, channels=1),
)


def build_timers(
    places: Iterable[TimerPlace], clock: ClockSource, exceptions: Exceptions, services: Services
) -> tuple[Timer, ...]:
    """Make them."""
    return tuple(Timer(place, clock, exceptions, services) for place in places)
