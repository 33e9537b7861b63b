# SPDX-License-Identifier: Apache-2.0
"""One scenario of firmware/exceptions.c on a virtual board in this process."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from elftools.elf.elffile import ELFFile

from tests.virtual.machine_memory import read_memory
from tests.virtual.probe_board import BOARD, compile_firmware
from unas.virtual.bus.link import NotifyingLink
from unas.virtual.bus.rules import Strictness
from unas.virtual.machine.events import Event, FaultEvent, StageEvent
from unas.virtual.machine.machine import Machine, Stop

Build = Callable[..., Path]


def compile_scenario(folder: Path, name: str, *defines: str) -> Path:
    """The firmware that runs that scenario."""
    return compile_firmware(folder, ("exceptions.c",), (f"SCENARIO={name}", *defines))


@dataclass
class Finished:
    """What a scenario left behind."""

    symbols: dict[str, int]
    results: tuple[int, ...]
    events: list[Event]
    instructions: int
    cycles: int
    asleep_cycles: int
    exit_code: int | None
    said: bytes = b""
    stages: list[tuple[int, int]] = field(default_factory=list)
    memory: Callable[[int, int], bytes] = lambda address, size: b""


def symbols_of(elf: Path) -> dict[str, int]:
    """Addresses by name."""
    with elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}


def finish(elf: Path, *, timing: str | None = None, given: bytes = b"") -> Finished:
    """Run a scenario to its end."""
    link = NotifyingLink()
    link.to_board += given
    said = bytearray()
    events: list[Event] = []
    strictness = Strictness(paced=True, uart="auto", semihosting=said.extend)
    with Machine(
        BOARD, elf, link=link, timing=timing, strictness=strictness, on_event=events.append
    ) as machine:
        assert machine.run(max_cycles=20_000_000) is Stop.EXIT
        symbols = symbols_of(elf)
        data = read_memory(machine, symbols["results"], 256)
        return Finished(
            symbols,
            struct.unpack("<64I", data),
            events,
            machine.instructions,
            machine.cycles,
            machine.cycles - machine.awake_cycles,
            machine.exit_code,
            bytes(said) + bytes(link.from_board),
            [(e.stage, e.cycles) for e in events if isinstance(e, StageEvent)],
        )


def faults_in(finished: Finished) -> list[FaultEvent]:
    """Faults, in order."""
    return [event for event in finished.events if isinstance(event, FaultEvent)]
