# SPDX-License-Identifier: Apache-2.0
"""The virtual board: Unicorn runs the unmodified firmware in the memory map of the board file."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import unicorn
from unicorn import arm_const as arm

from unas.board import Board
from unas.errors import EmulatorError
from unas.virtual import faults
from unas.virtual.counters import NO_LIMIT
from unas.virtual.cycles import BlockCost, CycleModel, PairingModel
from unas.virtual.diagnosis import Diagnosis
from unas.virtual.events import Event, FaultEvent, ResetEvent, StageEvent
from unas.virtual.image import load_image
from unas.virtual.link import ByteLink, QueueLink
from unas.virtual.machines import chip_factory
from unas.virtual.memory import Memory
from unas.virtual.native import open_counter
from unas.virtual.registers import PERIPHERAL_SPACE, Bus
from unas.virtual.thumb import uses_fpu

_NOWHERE = 0xFFFFFFFF


class Stop(enum.Enum):
    """Why ``Machine.run`` came back."""

    IDLE = "the firmware waits for a byte and the far end has none"
    LIMIT = "the limit of instructions is reached"
    STAGE = "the stage that was asked for is reached"
    REQUESTED = "request_stop was called"


class Machine:
    """A virtual board with its firmware, at power-on.

    Two machines with the same firmware and the same bytes on the line give the same counts: no
    host time enters. Blocks are counted whole on entry; peripherals are therefore read at the
    time of the end of the block that reads them. A block's cost is asked for once: firmware that
    rewrites code in RAM would be counted at the old price.

    Args:
        board: Gives memory map, core and the name of the chip's model.
        elf: The firmware.
        link: The far end of the UART; by default a queue, see ``link``.
        model: Prices basic blocks.
        instance: Tells virtual boards apart: it goes into the unique id.
        native: True: count in machine code or fail; False: in Python; None: the best there is.
        on_event: Called with stages, faults and resets, in order.

    Raises:
        EmulatorError: The board has no virtual machine, or the firmware does not fit it.
        ToolError: ``native`` is True and the hook cannot be built.
    """

    def __init__(
        self,
        board: Board,
        elf: Path,
        *,
        link: ByteLink | None = None,
        model: CycleModel | None = None,
        instance: int = 0,
        native: bool | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.board = board
        self.link: ByteLink = QueueLink() if link is None else link
        self._model = PairingModel() if model is None else model
        self._on_event = on_event
        self._image = load_image(elf)
        self._chip = chip_factory(board)(board, self, self.link, instance)
        self._bus = Bus(self._chip.peripherals)
        self._engine = unicorn.Uc(
            unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS
        )
        self._engine.ctl_set_cpu_model(self._chip.unicorn_model)
        self._memory = Memory(self._engine, board)
        self._memory.load(self._image, self._chip.fixed)
        self._counter = open_counter(self._engine, self._price, native=native)
        self._entry = faults.ExceptionEntry(self._engine, self._memory, self._chip.control)
        self._diagnosis = Diagnosis(self._engine, self._memory)
        for base, size in PERIPHERAL_SPACE:
            self._engine.mmio_map(base, size, self._read, base, self._write, base)
        self._error: Exception | None = None
        self._reset_pending = self._stop_requested = False
        self._stop: Stop | None = None
        self._wanted_stage: int | None = None
        self._pc = self._entry.reset(self._chip.vectors)

    # What the outside sees -------------------------------------------------------------------

    @property
    def timing(self) -> str:
        """Name of the cycle model."""
        return self._model.name

    @property
    def native(self) -> bool:
        """Blocks are counted in machine code."""
        return self._counter.native

    @property
    def instructions(self) -> int:
        """Executed instructions since power-on, waiting for the host left out."""
        return self._counter.instructions

    @property
    def cycles(self) -> int:
        """Core clock cycles since power-on, waiting for the host left out."""
        return self._counter.cycles

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of memory.

        Raises:
            EmulatorError: There is no memory.
        """
        try:
            return bytes(self._engine.mem_read(address, size))
        except unicorn.UcError as error:
            raise EmulatorError(
                f"no {size} bytes at 0x{address:08X}; see the board file"
            ) from error

    def run(self, *, max_instructions: int | None = None, until_stage: int | None = None) -> Stop:
        """Run on, until there is a reason to stop.

        Args:
            max_instructions: Stop at the first block after so many more instructions.
            until_stage: Stop at the end of the block that marks this stage.

        Raises:
            EmulatorError: The firmware did what the board does not allow; the machine is then dead.
        """
        if self._error is not None:
            raise self._error
        limit = NO_LIMIT if max_instructions is None else self.instructions + max_instructions
        self._wanted_stage = until_stage
        self._stop = None
        while self._stop is None:
            self._counter.limit = limit
            if self._stop_requested:  # may have come before the line above
                self._stop = Stop.REQUESTED
                break
            self._execute()
            if self._error is not None:
                raise self._error
            if self._reset_pending:
                self._reset()
            elif self._stop is None and self.instructions >= limit:
                self._stop = Stop.LIMIT
        self._stop_requested = False
        return self._stop

    def request_stop(self) -> None:
        """Let ``run`` come back at the next block. May be called from any thread."""
        self._stop_requested = True
        self._counter.limit = 0

    def close(self) -> None:
        """Free what the machine holds; it cannot be used afterwards."""
        self._engine = None
        self._counter.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # What peripherals see: chip.Services -----------------------------------------------------

    @property
    def accesses(self) -> int:
        """Peripheral accesses so far."""
        return self._bus.accesses

    def snapshot(self) -> object:
        """The present moment."""
        return self.instructions, self.cycles

    def rewind(self, moment: object) -> None:
        """Take back the time since then."""
        assert isinstance(moment, tuple)
        self._counter.instructions, self._counter.cycles = moment

    def stop_idle(self) -> None:
        """The far end has nothing for the board."""
        self._stop_after_block(Stop.IDLE)

    def active_exception(self) -> int:
        """Number of the exception that the core is in; 0 for none."""
        return int(self._engine.reg_read(arm.UC_ARM_REG_IPSR))

    def request_reset(self) -> None:
        """Reset the system at the end of the block."""
        self._reset_pending = True
        self._counter.limit = 0

    def mark_stage(self, stage: int) -> None:
        """Pass on a stage marker."""
        self._emit(StageEvent(stage, self.instructions, self.cycles))
        self.link.flush()
        if stage == self._wanted_stage:
            self._stop_after_block(Stop.STAGE)

    # Inside ----------------------------------------------------------------------------------

    def _stop_after_block(self, reason: Stop) -> None:
        self._stop = reason
        self._counter.limit = 0

    def _emit(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(event)

    def _fail(self, message: str, place: str) -> None:
        # The first error is the cause, what follows it until the machine stands still is not.
        if self._error is None:
            self._error = EmulatorError(f"virtual {self.board.id} at {place}: {message}")
        self._engine.emu_stop()

    def _block_place(self) -> str:
        visit = self._counter.visit
        return f"{self._image.place(visit.address)}..0x{visit.address + visit.size:08X}"

    def _read(self, _engine: Any, offset: int, size: int, base: int) -> int:
        try:
            return self._bus.read(base + offset, size)
        except EmulatorError as error:
            self._fail(str(error), self._block_place())
            return 0

    def _write(self, _engine: Any, offset: int, size: int, value: int, base: int) -> None:
        try:
            self._bus.write(base + offset, size, value)
        except EmulatorError as error:
            self._fail(str(error), self._block_place())

    def _price(self, address: int, size: int) -> BlockCost | None:
        code = bytes(self._engine.mem_read(address, size))
        if not self._chip.control.fpu_enabled and uses_fpu(code):
            self._fail(
                "floating-point instruction while the FPU is off; set CPACR first",
                self._image.place(address),
            )
            return None
        try:
            return self._model.block(address, code)
        except Exception as error:  # the caller is C and would drop it
            self._error = error
            return None

    def _execute(self) -> None:
        """Run Unicorn once, until something ends it; take a fault if it was one."""
        self._diagnosis.begin()
        failed = False
        try:
            self._engine.emu_start(self._pc | 1, _NOWHERE)
        except unicorn.UcError:
            failed = True
        self._pc = self._engine.reg_read(arm.UC_ARM_REG_PC)
        if self._error is not None:
            return
        try:
            fault = self._diagnosis.fault(failed=failed, pc=self._pc)
        except EmulatorError as error:
            self._fail(str(error), self._image.place(self._pc))
            return
        if fault is not None:
            self._take(fault)
        elif self._counter.limit and self.instructions < self._counter.limit:
            self._fail(
                "WFI or WFE: nothing can wake the core; poll instead", self._image.place(self._pc)
            )

    def _take(self, fault: faults.Fault) -> None:
        self._uncount_from(fault.pc)
        place = self._image.place(fault.pc)
        event = FaultEvent(
            f"{fault.what}, PC {place}", fault.pc, fault.address, self.instructions, self.cycles
        )
        self._emit(event)
        try:
            self._pc = self._entry.take(fault)
        except EmulatorError as error:
            self._fail(str(error), place)

    def _uncount_from(self, pc: int) -> None:
        """Take back what was counted for the block's instructions from ``pc`` on."""
        visit = self._counter.visit
        done = pc - visit.address
        if not 0 <= done < visit.size:
            return
        cost = BlockCost(0, 0)
        if done:
            cost = self._model.block(
                visit.address, bytes(self._engine.mem_read(visit.address, done))
            )
        self._counter.instructions -= visit.cost.instructions - cost.instructions
        self._counter.cycles -= visit.cost.cycles - cost.cycles

    def _reset(self) -> None:
        """System reset by software: core and peripherals, not memory."""
        self._reset_pending = False
        self._chip.prepare_reset()
        self._bus.reset()
        self._pc = self._entry.reset(self._chip.vectors)
        self._emit(ResetEvent("software", self.instructions, self.cycles))
