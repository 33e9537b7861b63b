# SPDX-License-Identifier: Apache-2.0
"""The virtual board: Unicorn runs the unmodified firmware in the memory map of the board file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import unicorn
from unicorn import arm_const as arm

from unas.board import Board
from unas.errors import EmulatorError
from unas.virtual.bus.image import load_image
from unas.virtual.bus.link import ByteLink, QueueLink
from unas.virtual.bus.memory import Memory
from unas.virtual.bus.registers import Bus
from unas.virtual.bus.rules import STRICT, Rules, Strictness
from unas.virtual.bus.schedule import NEVER, Schedule
from unas.virtual.bus.system_bus import SystemBus
from unas.virtual.core.exception_entry import ExceptionEntry
from unas.virtual.core.faults import End, Fault
from unas.virtual.core.instruction_hooks import Watch, uses_fpu
from unas.virtual.core.semihosting import Semihosting
from unas.virtual.core.sleep import Sleep
from unas.virtual.machine.catalogue import chip_factory
from unas.virtual.machine.diagnosis import Diagnosis
from unas.virtual.machine.events import Event, FaultEvent, ResetEvent, StageEvent
from unas.virtual.machine.events import Stop as Stop
from unas.virtual.machine.services import MachineServices, VirtualTime
from unas.virtual.timing.counter import memory_of, open_counter
from unas.virtual.timing.counters import NO_LIMIT

_NOWHERE = 0xFFFFFFFF


class Machine(MachineServices):
    """A virtual board with its firmware, at power-on.

    Two machines with the same firmware and the same bytes on the line give the same counts: no
    host time enters. A block's code is asked for once: firmware that rewrites code in RAM would be
    counted as before.

    Args:
        board: Gives memory map, core and the name of the chip's model.
        elf: The firmware.
        link: The far end of the UART; by default a queue, see ``link``.
        timing: What cycles are; see ``counters.TIMINGS``. None: the best.
        instance: Tells virtual boards apart: it goes into the unique id.
        native: True: count in machine code or fail; False: in Python; None: the best there is.
        on_event: Called with stages, faults and resets, in order.
        conduct: How strictly the firmware is taken.

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
        timing: str | None = None,
        instance: int = 0,
        native: bool | None = None,
        on_event: Callable[[Event], None] | None = None,
        strictness: Strictness = STRICT,
    ) -> None:
        self.board = board
        self.strictness = strictness
        self.agenda = Schedule()
        self.link: ByteLink = QueueLink() if link is None else link
        self._on_event = on_event
        self._image = load_image(elf, _flash_start(board))
        self.rules = Rules(strictness.tell)
        self._chip = chip_factory(board)(board, self, self.link, instance)
        self._bus = Bus(self._chip.peripherals, strictness.tell)
        self._engine = unicorn.Uc(
            unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS
        )
        self._engine.ctl_set_cpu_model(self._chip.unicorn_model)
        self._memory = Memory(self._engine, board)
        self._memory.load(self._image, self._chip.fixed)
        self._watch = Watch(self._engine, self._attend, lambda: self._sleep.note_event())
        self._counter = open_counter(
            self._engine,
            self._learn,
            board,
            timing=timing or board.virtual_timing,
            native=native,
            observer=self._watch.call_for,
        )
        self._caches = memory_of(self._counter)
        if self._caches is not None:
            self._caches.follow(self._bus)
        self._time = VirtualTime(
            lambda: self.cycles,
            self._chip.core_clock_hz or (lambda: board.core_clock_hz),
            self._chip.timers,
        )
        self._bus.guard("RCC", self._time.clocks_change, self._time.clocks_changed)
        self._exceptions = self._chip.control.exceptions
        self._exceptions.attend = self._attend
        self.agenda.changed = self._reschedule
        self._entry = ExceptionEntry(
            self._engine, self._memory, self._chip.control, self._exceptions, self._spend
        )
        self._sleep = Sleep(self._chip.control, self._entry.masks)
        self._diagnosis = Diagnosis(self._engine, self._memory, self._pause, strictness.tell)
        self._semihosting = (
            None
            if strictness.semihosting is None
            else Semihosting(self._engine, strictness.semihosting)
        )
        self._system_bus = SystemBus(
            self._engine,
            self._memory,
            self._bus,
            lambda message: self._fail(message, self._block_place()),
        )
        self._error: Exception | None = None
        self._reset_pending = self._stop_requested = False
        self._stop: Stop | None = None
        self._wanted_stage: int | None = None
        self._horizon = NO_LIMIT
        self._pc = self._entry.reset(self._chip.vectors)

    # What the outside sees -------------------------------------------------------------------

    @property
    def timing(self) -> str:
        """Name of the cycle model."""
        return self._counter.timing

    @property
    def native(self) -> bool:
        """Blocks are counted in machine code."""
        return self._counter.native

    @property
    def exit_code(self) -> int | None:
        """What the firmware ended itself with, by semihosting; None: it did not."""
        return None if self._semihosting is None else self._semihosting.exit_code

    @property
    def core_clock_hz(self) -> int:
        """Frequency of the core now."""
        return self._time.core_clock_hz()

    @property
    def seconds(self) -> float:
        """Virtual time since power-on."""
        return self._time.seconds

    def run(
        self,
        *,
        max_instructions: int | None = None,
        max_cycles: int | None = None,
        until_stage: int | None = None,
    ) -> Stop:
        """Run on, until there is a reason to stop.

        Args:
            max_instructions: Stop at the first block after so many more instructions.
            max_cycles: Stop at the first block after so many more core cycles, asleep or not.
            until_stage: Stop at the end of the block that marks this stage.

        Raises:
            EmulatorError: The firmware did what the board does not allow; the machine is then dead.
        """
        if self._error is not None:
            raise self._error
        limit = NO_LIMIT if max_instructions is None else self.instructions + max_instructions
        self._horizon = NO_LIMIT if max_cycles is None else self.cycles + max_cycles
        self._wanted_stage = until_stage
        self._stop = None
        while self._stop is None:
            self._advance(limit)
            if self._error is not None:
                raise self._error
            if self._reset_pending:
                self._reset()
            elif self._stop is None and (
                self.instructions >= limit or self.cycles >= self._horizon
            ):
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

    def mark_stage(self, stage: int) -> None:
        """Pass on a stage marker."""
        self._emit(StageEvent(stage, self.instructions, self.cycles))
        self.link.flush()
        if stage == self._wanted_stage:
            self._stop_after_block(Stop.STAGE)

    # Inside ----------------------------------------------------------------------------------

    def _attend(self) -> None:
        """An exception may have become ready: look at the next block boundary."""
        if self._exceptions.pending & self._exceptions.enabled:
            self._counter.limit = 0

    def _reschedule(self) -> None:
        self._counter.cycle_limit = min(self._counter.cycle_limit, self.agenda.next_cycle)

    def _spend(self, cycles: int) -> None:
        self._counter.cycles += cycles
        self.agenda.run_due(self._counter.cycles)

    def _pause(self) -> None:
        self._counter.limit = 0

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
        address, size = self._counter.visit
        return f"{self._image.place(address)}..0x{address + size:08X}"

    def _learn(self, address: int, size: int) -> bytes | None:
        """Code of a block that is met for the first time; None: it must not run now."""
        code = bytes(self._engine.mem_read(address, size))
        if not self._chip.control.fpu_enabled and uses_fpu(code):
            self._fail(
                "floating-point instruction while the FPU is off; set CPACR first",
                self._image.place(address),
            )
            return None
        if not self._counter.watches and self._watch.look(address, code):
            return None
        return code

    def _advance(self, limit: int) -> None:
        """Let happen what is due, take what is ready, then run until something is."""
        try:
            self.agenda.run_due(self._counter.cycles)
            while (handler := self._entry.take_ready(self._pc)) is not None:
                self._pc = handler
                self._sleep.interrupt()
            if self._sleep.asleep and not self._sleep.ends():
                self._doze()
                return
        except EmulatorError as error:
            self._fail(str(error), self._image.place(self._pc))
            return
        self._counter.cycle_limit = min(self.agenda.next_cycle, self._horizon)
        self._counter.limit = limit
        if self._stop_requested:  # may have come before the line above
            self._stop = Stop.REQUESTED
            return
        self._execute()

    def _doze(self) -> None:
        """Pass the time until the next thing happens; it may wake the core."""
        if self._stop_requested:
            self._stop = Stop.REQUESTED
        elif self.agenda.next_cycle != NEVER:
            until = min(self.agenda.next_cycle, self._horizon)
            self._sleep.cycles += until - self._counter.cycles
            self._counter.cycles = until
        elif self._chip.awaits_input() or self.strictness.tell is not None:
            self._stop = Stop.IDLE
        else:
            raise EmulatorError("WFI or WFE: nothing can wake the core; enable an interrupt first")

    def _execute(self) -> None:
        """Run Unicorn once, until something ends it, and do what that asks for."""
        self._diagnosis.begin()
        started_at = self._counter.instructions
        failed = False
        try:
            self._engine.emu_start(self._pc | 1, _NOWHERE)
        except unicorn.UcError:
            failed = True
        self._pc = self._engine.reg_read(arm.UC_ARM_REG_PC)
        self._counter.pause(self._pc)
        self._error = self._error or self._counter.error
        if self._error is not None:
            return
        self._watch.arm()
        end = self._diagnosis.end(failed=failed, pc=self._pc)
        try:
            if isinstance(end, Fault):
                self._take(end)
            elif end is End.CALL:
                self._pc = self._entry.supervisor_call(self._pc)
            elif end is End.RETURN:
                self._return(self._pc | 1)
            elif end is End.BREAKPOINT:
                self._break()
            elif self._counter.instructions != started_at:
                self._sleep.fall(end)
        except EmulatorError as error:
            self._fail(str(error), self._image.place(self._pc))

    def _return(self, exc_return: int) -> None:
        self._pc = self._entry.leave(exc_return)
        self._sleep.note_event()
        if self._entry.sleeps_on_exit(exc_return):
            self._sleep.fall(End.WAIT_FOR_INTERRUPT)

    def _break(self) -> None:
        if self._semihosting is None or not self._semihosting.asked(self._pc):
            raise EmulatorError("BKPT without a debugger; remove it")
        self._semihosting.call()
        self._pc += 2
        if self._semihosting.exit_code is not None:
            self._stop = Stop.EXIT

    def _take(self, fault: Fault) -> None:
        self._counter.settle(fault.pc)
        place = self._image.place(fault.pc)
        event = FaultEvent(
            f"{fault.what}, PC {place}", fault.pc, fault.address, self.instructions, self.cycles
        )
        self._emit(event)
        self._pc = fault.pc
        self._pc = self._entry.fault(fault)

    def _reset(self) -> None:
        """System reset by software: core and peripherals, not memory."""
        self._reset_pending = False
        self._sleep.reset()
        self._chip.prepare_reset()
        self._bus.reset()
        if self._caches is not None:
            self._caches.reset()
        self._pc = self._entry.reset(self._chip.vectors)
        self._emit(ResetEvent("software", self.instructions, self.cycles))


def _flash_start(board: Board) -> int:
    return next(region.start for region in board.memory if region.use == "code")
