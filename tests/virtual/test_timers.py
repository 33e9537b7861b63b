# SPDX-License-Identifier: Apache-2.0
"""Timers and priorities by arithmetic, against the same things step by step."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from unas.virtual.bus.schedule import NEVER, Schedule
from unas.virtual.core.exceptions import SYSTICK, Exceptions, Masks
from unas.virtual.core.systick import SysTick


@dataclass
class Clock:
    now: int = 0


@given(
    reload=st.integers(1, 40),
    core=st.booleans(),
    looks=st.lists(st.integers(0, 90), min_size=1, max_size=30),
)
@settings(max_examples=200, deadline=None)
def test_systick_against_a_counter(reload: int, core: bool, looks: list[int]) -> None:
    """B3.3: it counts down from LOAD to 0, raises COUNTFLAG as it gets there, and reloads."""
    clock, agenda, exceptions = Clock(), Schedule(), Exceptions(4)
    timer = SysTick(exceptions, agenda, lambda: clock.now)
    by_name = {register.name: register for register in timer.registers}
    control, load, value = (by_name[f"SYST_{name}"] for name in ("CSR", "RVR", "CVR"))
    assert load.write is not None
    assert control.write is not None
    assert control.read is not None
    assert value.read is not None
    load.write(0, reload)
    control.write(0, 3 | core << 2)
    count, counted, divisor = 0, False, 1 if core else 8
    for wait in looks:
        for _ in range(wait):
            clock.now += 1
            if clock.now % divisor == 0:
                count = reload if count == 0 else count - 1
                if count == 0:
                    counted = True
            agenda.run_due(clock.now)
        assert value.read(0) == count
        assert bool(control.read(0) >> 16 & 1) == counted
        assert bool(exceptions.pending >> SYSTICK & 1) == counted
        counted = False
        exceptions.unpend(1 << SYSTICK)


@given(
    priorities=st.lists(st.integers(0, 255), min_size=8, max_size=8),
    grouping=st.integers(0, 7),
    pending=st.integers(0, 255),
    active=st.integers(0, 255),
    masks=st.builds(Masks, st.booleans(), st.booleans(), st.integers(0, 255)),
)
@settings(max_examples=500, deadline=None)
def test_what_is_taken_next(
    priorities: list[int], grouping: int, pending: int, active: int, masks: Masks
) -> None:
    """The rules of B1.5.4, from the definition of each: four implemented bits."""
    exceptions = Exceptions(8)
    exceptions.set_grouping(grouping)
    exceptions.enable(0xFF << 16)
    for irq, priority in enumerate(priorities):
        exceptions.set_priority(16 + irq, priority)
    exceptions.pend(pending << 16)
    exceptions.active = active << 16

    def group(priority: int) -> int:
        return (priority & 0xF0) >> (grouping + 1) << (grouping + 1)

    level = min((group(priorities[i]) for i in range(8) if active >> i & 1), default=256)
    if masks.basepri & 0xF0:
        level = min(level, group(masks.basepri))
    if masks.primask:
        level = min(level, 0)
    if masks.faultmask:
        level = -1
    ready = sorted((priorities[i] & 0xF0, i) for i in range(8) if pending >> i & 1)
    expected = 16 + ready[0][1] if ready and group(ready[0][0]) < level else None
    assert exceptions.next(masks) == expected


def test_a_line_that_stays_high_pends_again() -> None:
    exceptions = Exceptions(4)
    exceptions.enable(1 << 16)
    exceptions.set_line(0, True)
    exceptions.enter(16)
    assert not exceptions.pending
    exceptions.leave(16)
    assert exceptions.pending == 1 << 16
    exceptions.set_line(0, False)  # too late: it is noted
    exceptions.enter(16)
    exceptions.leave(16)
    assert not exceptions.pending


def test_appointments_move() -> None:
    agenda, order = Schedule(), list[str]()
    first = agenda.event(lambda: order.append("first"))
    second = agenda.event(lambda: order.append("second"))
    first.set(10)
    second.set(20)
    first.set(30)
    assert agenda.next_cycle == 20
    agenda.run_due(40)
    assert order == ["second", "first"]
    assert agenda.next_cycle == NEVER
