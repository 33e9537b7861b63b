# SPDX-License-Identifier: Apache-2.0
"""Clock set-ups as ../shared/design/stm32-ports.md has them, step by step, and what runs them.

Steps are written from ST's CMSIS headers and reference manuals there, not from our ports.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unas.virtual.bus.registers import Bus

WRITE, SET, POLL, READ = "write", "set", "poll", "readback"
_PATIENCE = 10  # reads that a poll may take: all answers come at once


@dataclass(frozen=True)
class Step:
    """One line of a table there."""

    name: str
    kind: str
    address: int
    mask: int = 0xFFFFFFFF
    value: int = 0


class NeverReady(Exception):
    """A poll that silicon would not leave either."""


def perform(bus: Bus, steps: Iterable[Step]) -> None:
    """Do the steps on a bus."""
    for step in steps:
        if step.kind == WRITE:
            bus.write(step.address, 4, step.value)
        elif step.kind == SET:
            old = bus.read(step.address, 4)
            bus.write(step.address, 4, old & ~step.mask | step.value)
        elif step.kind == READ:
            bus.read(step.address, 4)
        elif not any(bus.read(step.address, 4) & step.mask == step.value for _ in range(_PATIENCE)):
            raise NeverReady(step.name)


def without(steps: Sequence[Step], *names: str) -> list[Step]:
    """The steps but those."""
    assert all(any(step.name == name for step in steps) for name in names)
    return [step for step in steps if step.name not in names]


def changed(steps: Sequence[Step], name: str, value: int) -> list[Step]:
    """The steps with another value in one of them."""
    assert any(step.name == name for step in steps)
    return [Step(s.name, s.kind, s.address, s.mask, value) if s.name == name else s for s in steps]


F7_216_MHZ = (  # 2.1
    Step("PWREN", SET, 0x40023840, 0x10000000, 0x10000000),
    Step("PWREN settles", READ, 0x40023840),
    Step("VOS", SET, 0x40007000, 0x0000C000, 0x0000C000),
    Step("HSEBYP", SET, 0x40023800, 0x00040000, 0x00040000),
    Step("HSEON", SET, 0x40023800, 0x00010000, 0x00010000),
    Step("HSERDY", POLL, 0x40023800, 0x00020000, 0x00020000),
    Step("PLLCFGR", WRITE, 0x40023804, value=0x29403604),
    Step("PLLON", SET, 0x40023800, 0x01000000, 0x01000000),
    Step("ODEN", SET, 0x40007000, 0x00010000, 0x00010000),
    Step("ODRDY", POLL, 0x40007004, 0x00010000, 0x00010000),
    Step("ODSWEN", SET, 0x40007000, 0x00020000, 0x00020000),
    Step("ODSWRDY", POLL, 0x40007004, 0x00020000, 0x00020000),
    Step("ACR", WRITE, 0x40023C00, value=0x00000307),
    Step("LATENCY", POLL, 0x40023C00, 0x0000000F, 0x00000007),
    Step("PRESCALERS", SET, 0x40023808, 0x0000FCF0, 0x00009400),
    Step("PLLRDY", POLL, 0x40023800, 0x02000000, 0x02000000),
    Step("SW", SET, 0x40023808, 0x00000003, 0x00000002),
    Step("SWS", POLL, 0x40023808, 0x0000000C, 0x00000008),
)
F7_FROM_HSI = changed(without(F7_216_MHZ, "HSEBYP", "HSEON", "HSERDY"), "PLLCFGR", 0x29003608)

L4_120_MHZ = (  # 2.4
    Step("PWREN", SET, 0x40021058, 0x10000000, 0x10000000),
    Step("PWREN settles", READ, 0x40021058),
    Step("R1MODE", SET, 0x40007080, 0x00000100, 0x00000000),
    Step("VOSF", POLL, 0x40007014, 0x00000400, 0x00000000),
    Step("IOSV", SET, 0x40007004, 0x00000200, 0x00000200),
    Step("HSION", SET, 0x40021000, 0x00000100, 0x00000100),
    Step("HSIRDY", POLL, 0x40021000, 0x00000400, 0x00000400),
    Step("PLLCFGR", WRITE, 0x4002100C, value=0x01001E12),
    Step("PLLON", SET, 0x40021000, 0x01000000, 0x01000000),
    Step("PLLRDY", POLL, 0x40021000, 0x02000000, 0x02000000),
    Step("ACR", WRITE, 0x40022000, value=0x00000705),
    Step("LATENCY", POLL, 0x40022000, 0x0000000F, 0x00000005),
    Step("HALF", SET, 0x40021008, 0x000000F0, 0x00000080),
    Step("SW", SET, 0x40021008, 0x00000003, 0x00000003),
    Step("SWS", POLL, 0x40021008, 0x0000000C, 0x0000000C),
    Step("FULL", SET, 0x40021008, 0x000000F0, 0x00000000),
)
L4_FROM_MSI = changed(without(L4_120_MHZ, "HSION", "HSIRDY"), "PLLCFGR", 0x01003C01)
L4_FINER = changed(L4_120_MHZ, "PLLCFGR", 0x01003C32)
L4_FROM_HSE = [
    Step("HSEBYP", SET, 0x40021000, 0x00040000, 0x00040000),
    Step("HSEON", SET, 0x40021000, 0x00010000, 0x00010000),
    Step("HSERDY", POLL, 0x40021000, 0x00020000, 0x00020000),
    *changed(without(L4_120_MHZ, "HSION", "HSIRDY"), "PLLCFGR", 0x01001E03),
]
