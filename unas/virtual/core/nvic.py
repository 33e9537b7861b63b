# SPDX-License-Identifier: Apache-2.0
"""Registers of the interrupt controller and of the system exceptions; ARMv7-M ARM B3.2, B3.4."""

from __future__ import annotations

from collections.abc import Callable

from unas.virtual.bus.registers import WORD, Register
from unas.virtual.core.exceptions import (
    BUS_FAULT,
    DEBUG_MONITOR,
    FIRST_IRQ,
    MEMORY_FAULT,
    NMI,
    PENDSV,
    SVCALL,
    SYSTICK,
    USAGE_FAULT,
    Exceptions,
)

_SHCSR_ACTIVE = {0: MEMORY_FAULT, 1: BUS_FAULT, 3: USAGE_FAULT, 7: SVCALL, 8: DEBUG_MONITOR}
_SHCSR_ACTIVE |= {10: PENDSV, 11: SYSTICK}
_SHCSR_PENDING = {12: USAGE_FAULT, 13: MEMORY_FAULT, 14: BUS_FAULT, 15: SVCALL}
_SHCSR_ENABLE = {16: MEMORY_FAULT, 17: BUS_FAULT, 18: USAGE_FAULT}
_ICSR_PEND = {31: NMI, 28: PENDSV, 26: SYSTICK}
_ICSR_CLEAR = {27: PENDSV, 25: SYSTICK}


def _priority_writer(exceptions: Exceptions, first: int) -> Callable[[int, int], int]:
    """Writes four priorities, the first in the low byte."""

    def write(_: int, new: int) -> int:
        return sum(
            exceptions.set_priority(first + i, new >> 8 * i & 0xFF) << 8 * i for i in range(4)
        )

    return write


def interrupt_registers(exceptions: Exceptions) -> list[Register]:
    """NVIC_ISER to NVIC_IPR, STIR and ICTR."""
    words = -(-exceptions.lines // 32)
    table = [Register(0x004, "ICTR", words - 1, 0)]
    for index in range(words):
        table += _word_registers(exceptions, index)
    for index in range(8 * words):
        writer = _priority_writer(exceptions, FIRST_IRQ + 4 * index)
        table.append(Register(0x400 + 4 * index, f"IPR{index}", write=writer))

    def trigger(_: int, new: int) -> int:
        exceptions.pend(1 << (FIRST_IRQ + (new & 0x1FF)))
        return 0

    table.append(Register(0xF00, "STIR", write=trigger))
    return table


def _word_registers(exceptions: Exceptions, index: int) -> list[Register]:
    """The five registers that hold a bit for each of 32 interrupts."""
    shift = FIRST_IRQ + 32 * index
    existing = (1 << min(32, exceptions.lines - 32 * index)) - 1

    def reader(name: str) -> Callable[[int], int]:
        return lambda stored: getattr(exceptions, name) >> shift & WORD

    def writer(act: Callable[[int], None]) -> Callable[[int, int], int]:
        def write(_: int, new: int) -> int:
            act((new & existing) << shift)
            return 0

        return write

    enabled, pending = reader("enabled"), reader("pending")
    rows = (
        (0x100, "ISER", enabled, writer(exceptions.enable)),
        (0x180, "ICER", enabled, writer(exceptions.disable)),
        (0x200, "ISPR", pending, writer(exceptions.pend)),
        (0x280, "ICPR", pending, writer(exceptions.unpend)),
        (0x300, "IABR", reader("active"), None),
    )
    return [
        Register(base + 4 * index, f"{name}{index}", 0, 0 if write is None else WORD, read, write)
        for base, name, read, write in rows
    ]


def system_registers(
    exceptions: Exceptions, active_exception: Callable[[], int]
) -> tuple[Register, ...]:
    """ICSR, SHPR1 to SHPR3 and SHCSR."""

    def read_icsr(_: int) -> int:
        active = active_exception()
        value = active | exceptions.most_urgent_pending() << 12
        value |= bool(exceptions.pending >> FIRST_IRQ) << 22
        value |= (exceptions.active & ~(1 << active) == 0) << 11
        return value | _bits_of(exceptions.pending, _ICSR_PEND)

    def write_icsr(_: int, new: int) -> int:
        exceptions.unpend(_set_of(new, _ICSR_CLEAR))
        exceptions.pend(_set_of(new, _ICSR_PEND))
        return 0

    def read_shcsr(_: int) -> int:
        value = _bits_of(exceptions.active, _SHCSR_ACTIVE)
        value |= _bits_of(exceptions.pending, _SHCSR_PENDING)
        return value | _bits_of(exceptions.enabled, _SHCSR_ENABLE)

    def write_shcsr(_: int, new: int) -> int:
        exceptions.disable(_set_of(~new, _SHCSR_ENABLE))
        exceptions.enable(_set_of(new, _SHCSR_ENABLE))
        return 0

    return (
        Register(0xD04, "ICSR", read=read_icsr, write=write_icsr),
        *(
            Register(0xD18 + 4 * i, f"SHPR{i + 1}", write=_priority_writer(exceptions, 4 + 4 * i))
            for i in range(3)
        ),
        Register(0xD24, "SHCSR", read=read_shcsr, write=write_shcsr),
    )


def _set_of(bits: int, fields: dict[int, int]) -> int:
    """The exceptions whose bit is set."""
    return sum(1 << number for bit, number in fields.items() if bits >> bit & 1)


def _bits_of(numbers: int, fields: dict[int, int]) -> int:
    """The bits of the exceptions in a set."""
    return sum(1 << bit for bit, number in fields.items() if numbers >> number & 1)
