"""What lies in a machine's memory, read past the core: no firmware is asked."""

from __future__ import annotations

from unas.virtual.machine.machine import Machine


def read_memory(machine: Machine, address: int, size: int) -> bytes:
    return bytes(machine._engine.mem_read(address, size))
