# SPDX-License-Identifier: Apache-2.0
"""What to measure on: a unit, or a virtual board, with its runtime and procedure."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from unas.board import Board, load_board
from unas.errors import ConfigError
from unas.firmware.build import Builder, platformio_environment
from unas.firmware.runtimes import BUILTIN, Runtime
from unas.hil.flash import Flasher, PlatformioFlasher, QemuFlasher, VirtualFlasher, qemu_version
from unas.hil.measure import Procedure
from unas.hil.units import Unit, choose_unit, load_units
from unas.names import VIRTUAL_TIMINGS, Emulator, Timing, find_name
from unas.virtual.revision import sources_digest


@dataclass(frozen=True, slots=True)
class Emulation:
    """How a virtual board is run.

    Attributes:
        emulator: QEMU has machines for few boards, and counts instructions only.
        timing: What its cycles are; None: the best that the emulator has for the board.

    Raises:
        ConfigError: The emulator has no such timing.
    """

    emulator: Emulator = Emulator.UNICORN
    timing: Timing | None = None

    def __post_init__(self) -> None:
        if self.timing is not None and self.timing not in VIRTUAL_TIMINGS:
            raise ConfigError(
                f"a virtual board has no timing {self.timing}; choose one of "
                f"{', '.join(VIRTUAL_TIMINGS)}"
            )
        if self.emulator is Emulator.QEMU and self.timing not in (None, Timing.INSTRUCTIONS):
            raise ConfigError(f"QEMU counts instructions, not {self.timing}; leave the timing out")

    @property
    def revision(self) -> str:
        """Identity of all that decides an emulated number but the firmware and the procedure.

        Raises:
            ToolError: It is to be QEMU's, which is not installed.
        """
        if self.emulator is Emulator.QEMU:
            return qemu_version()
        # Without a C compiler the best timing is a lesser one.
        native = shutil.which(os.environ.get("CC", "cc")) is not None
        return f"{virtual_revision()} timing {self.timing or 'best'} native {native}"


def find_emulation(emulator: str, timing: str | None = None) -> Emulation:
    """The emulation of these names; imports no emulator.

    Args:
        emulator: A name of ``Emulator``.
        timing: One of ``VIRTUAL_TIMINGS``; None: the best there is.

    Raises:
        ConfigError: No such emulator or timing, or one that the emulator has not.
    """
    chosen = find_name(Emulator, emulator, "emulator")
    if timing is None:
        return Emulation(chosen)
    if timing not in VIRTUAL_TIMINGS:
        raise ConfigError(
            f"no timing {timing!r} on a virtual board; known: {', '.join(VIRTUAL_TIMINGS)}"
        )
    return Emulation(chosen, Timing(timing))


def virtual_revision() -> str:
    """Identity of the virtual boards: a digest of their sources, and the emulator's version."""
    return f"virtual {sources_digest()} unicorn {importlib.metadata.version('unicorn')}"


@dataclass(frozen=True, slots=True)
class Bench:
    """What to measure on.

    Attributes:
        board: Kind of board.
        unit: A board on the desk; None for virtual ones.
        workers: Virtual boards at work at once; a unit is only one.
        procedure: Warm-up, runs and seed.
        runtime: What runs the models.
        emulation: How a virtual board is run.

    Raises:
        ConfigError: There is neither a unit nor a virtual machine of the board.
    """

    board: Board
    unit: Unit | None = None
    workers: int = 2
    procedure: Procedure = field(default_factory=Procedure)
    runtime: Runtime = BUILTIN
    emulation: Emulation = Emulation()

    def __post_init__(self) -> None:
        if self.unit is None and self.board.virtual_machine is None:
            raise ConfigError(
                f"board {self.board.id} has no virtual machine; plug one in and run "
                "unas-hil boards --scan, or add [virtual] to its board file"
            )

    @property
    def source(self) -> str:
        """Where the numbers come from, as part of a measurement's identity."""
        return self.emulation.revision if self.unit is None else f"unit {self.unit.name}"

    def builder(self, instance: int) -> Builder:
        """What builds the images of one worker; workers build at the same time."""
        return Builder(self.board, f"w{instance}", self.runtime)

    def flasher(self, instance: int) -> Flasher:
        """What flashes the unit, or runs the virtual board, of one worker."""
        if self.unit is not None:
            return PlatformioFlasher(self.unit, platformio_environment())
        if self.emulation.emulator is Emulator.QEMU:
            return QemuFlasher(self.board)
        return VirtualFlasher(self.board, instance, self.emulation.timing)


def open_bench(
    board: Board | str,
    unit: str | None = None,
    *,
    virtual: bool = False,
    workers: int = 1,
    procedure: Procedure | None = None,
    virtual_runs: int | None = None,
    runtime: Runtime = BUILTIN,
    emulation: Emulation | None = None,
    log: Callable[[str], None] | None = None,
) -> Bench:
    """The bench to measure on: a unit that is plugged in, else the virtual board.

    Args:
        board: Kind of board: a value, an id, or the path of a board file.
        unit: Name in ``hardware_map.toml``; None takes the first of this board that is plugged in.
        virtual: Take the virtual board even if a unit is plugged in.
        workers: Virtual boards at work at once.
        procedure: How each model is timed.
        virtual_runs: Timed runs on a virtual board, which gives the same cycles every time; None:
            as the procedure has it.
        runtime: What runs the models; see ``unas.firmware.runtimes.find_runtime``.
        emulation: How a virtual board is run; see ``find_emulation``.
        log: Takes a line for people where the virtual board is taken.

    Raises:
        ConfigError: No such board or unit, both ``unit`` and ``virtual``, or no unit of a board
            that has no virtual machine.
    """
    if unit is not None and virtual:
        raise ConfigError("a unit is named and the virtual board asked for; leave one of them out")
    if isinstance(board, str):
        board = load_board(board)
    procedure, emulation = procedure or Procedure(), emulation or Emulation()
    plugged_in = None if virtual else choose_unit(board, unit, load_units())
    if plugged_in is None and virtual_runs is not None:
        procedure = replace(procedure, runs=virtual_runs)
    bench = Bench(board, plugged_in, workers, procedure, runtime, emulation)
    if plugged_in is None and log is not None:
        why = "as asked" if virtual else "no unit is plugged in"
        by = " in QEMU" if emulation.emulator is Emulator.QEMU else ""
        log(f"{why}: using the virtual {board.name}{by}; its numbers are emulated, not measured")
    return bench
