# SPDX-License-Identifier: Apache-2.0
"""A machine without a core, for peripherals: time that tests set, and a bus with some memory."""

from __future__ import annotations

from unas.virtual.bus.registers import Bus, is_peripheral
from unas.virtual.bus.rules import Rules, Strictness
from unas.virtual.bus.schedule import Schedule


class FakeServices:
    """``chip.Services`` for one test; ``memory`` holds bytes by address."""

    def __init__(self, strictness: Strictness | None = None) -> None:
        self.agenda = Schedule()
        self.strictness = Strictness() if strictness is None else strictness
        self.rules = Rules()
        self.bus = Bus(())
        self.memory: dict[int, int] = {}
        self.cycles = self.instructions = 0
        self.idle = False

    @property
    def awake_cycles(self) -> int:
        """See ``chip.Services``."""
        return self.cycles

    @property
    def accesses(self) -> int:
        """See ``chip.Services``."""
        return self.bus.accesses

    def advance(self, cycles: int) -> None:
        """Let time pass, and what is due by then happen at its time."""
        end = self.cycles + cycles
        while self.agenda.next_cycle <= end:
            self.cycles = self.agenda.next_cycle
            self.agenda.run_due(self.cycles)
        self.cycles = end

    def active_exception(self) -> int:
        """See ``chip.Services``."""
        return 0

    def request_reset(self) -> None:
        """See ``chip.Services``."""

    def mark_stage(self, stage: int) -> None:
        """See ``chip.Services``."""

    def snapshot(self) -> object:
        """See ``chip.Services``."""
        return self.cycles

    def rewind(self, moment: object) -> None:
        """See ``chip.Services``."""

    def skip_to(self, cycle: int) -> None:
        """See ``chip.Services``."""
        self.advance(cycle - self.cycles)

    def stop_idle(self) -> None:
        """See ``chip.Services``."""
        self.idle = True

    def read_bus(self, address: int, size: int) -> int:
        """See ``chip.Services``."""
        if is_peripheral(address):
            return self.bus.read(address, size)
        return int.from_bytes(bytes(self.memory[address + i] for i in range(size)), "little")

    def write_bus(self, address: int, size: int, value: int) -> None:
        """See ``chip.Services``."""
        if is_peripheral(address):
            self.bus.write(address, size, value)
        else:
            self.memory.update(enumerate(value.to_bytes(4, "little")[:size], address))
