# SPDX-License-Identifier: Apache-2.0
"""The seam between the machine, which runs instructions, and the chip around the core."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from unas.board import Board
from unas.virtual.core import SystemControl
from unas.virtual.identity import FixedBytes
from unas.virtual.link import ByteLink
from unas.virtual.registers import Peripheral
from unas.virtual.usart import Timeline


class Services(Timeline, Protocol):
    """What a machine offers its peripherals."""

    @property
    def cycles(self) -> int:
        """Core clock cycles since power-on."""

    def active_exception(self) -> int:
        """Number of the exception that the core is in; 0 for none."""

    def request_reset(self) -> None:
        """Reset the system at the end of the block."""

    def mark_stage(self, stage: int) -> None:
        """Pass on a stage marker of the firmware."""


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
    """

    unicorn_model: int
    control: SystemControl
    peripherals: tuple[Peripheral, ...]
    fixed: tuple[FixedBytes, ...]
    vectors: int
    prepare_reset: Callable[[], None]


class ChipFactory(Protocol):
    """Makes the chip of a board."""

    def __call__(self, board: Board, services: Services, link: ByteLink, instance: int) -> Chip:
        """Make it; ``instance`` tells virtual boards of one kind apart."""
