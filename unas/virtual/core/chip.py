# SPDX-License-Identifier: Apache-2.0
"""The seam between the machine, which runs instructions, and the chip around the core."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from unas.board import Board
from unas.virtual.bus.link import ByteLink
from unas.virtual.bus.memory import FixedBytes
from unas.virtual.bus.registers import Peripheral
from unas.virtual.bus.rules import Rules, Strictness
from unas.virtual.bus.schedule import Timeline
from unas.virtual.core.system_control import CoreServices, SystemControl


class Services(Timeline, CoreServices, Protocol):
    """What a machine offers its peripherals."""

    @property
    def strictness(self) -> Strictness:
        """How strictly the firmware is taken."""

    @property
    def awake_cycles(self) -> int:
        """Core clock cycles since power-on, those asleep left out."""

    @property
    def rules(self) -> Rules:
        """What to do when firmware breaks a rule of the chip."""

    def read_bus(self, address: int, size: int) -> int:
        """What a bus master other than the core reads there: 1, 2 or 4 bytes.

        Raises:
            EmulatorError: There is nothing.
        """

    def write_bus(self, address: int, size: int, value: int) -> None:
        """Let a bus master other than the core write there.

        Raises:
            EmulatorError: There is nothing.
        """

    def mark_stage(self, stage: int) -> None:
        """Pass on a stage marker of the firmware."""


class Timed(Protocol):
    """A peripheral whose time depends on the clock tree."""

    def clocks_change(self) -> None:
        """The clock tree is about to be something else."""

    def clocks_changed(self) -> None:
        """The clock tree is something else."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A chip, ready to be run.

    Attributes:
        unicorn_model: Unicorn's number of the core.
        control: The core's system control block.
        peripherals: All peripherals, ``control`` among them.
        fixed: What the factory wrote to read-only memory.
        vectors: Where the core fetches its first stack pointer and instruction address.
        prepare_reset: Called before the peripherals are reset by software.
        awaits_input: Whether a byte on the serial line could wake the core.
        core_clock_hz: Frequency of the core now; None: always that of the board.
        timers: What depends on frequencies; they change when RCC is written.
    """

    unicorn_model: int
    control: SystemControl
    peripherals: tuple[Peripheral, ...]
    fixed: tuple[FixedBytes, ...]
    vectors: int
    prepare_reset: Callable[[], None]
    awaits_input: Callable[[], bool] = lambda: False
    core_clock_hz: Callable[[], int] | None = None
    timers: tuple[Timed, ...] = ()


class ChipFactory(Protocol):
    """Makes the chip of a board."""

    def __call__(self, board: Board, services: Services, link: ByteLink, instance: int) -> Chip:
        """Make it; ``instance`` tells virtual boards of one kind apart."""
