# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import unicorn

from tests.virtual.probe_board import BOARD, ProbeBoard, compile_firmware, word, words
from unas.errors import EmulatorError
from unas.virtual.core.instruction_hooks import instruction_sizes
from unas.virtual.machine.events import Event
from unas.virtual.machine.machine import Machine, Stop
from unas.virtual.timing.core_model import OperationFacts
from unas.virtual.timing.cortex_m7 import CortexM7
from unas.virtual.timing.counters import TIMINGS
from unas.virtual.timing.operations import Operation

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler on this host")
WORK = b"W" + word(300)


class InstructionCount:
    """Counts every instruction on its own: slow, and independent of blocks and their prices.

    Unicorn calls for those of an IT block only that are not skipped. The core executes the others,
    too, as no-operations; they are added when the IT comes.
    """

    def __init__(self, machine: Machine) -> None:
        self.total = 0
        self._conditional: set[int] = set()
        machine._engine.hook_add(unicorn.UC_HOOK_CODE, self._count)

    def _count(self, engine: unicorn.Uc, address: int, size: int, _: object) -> None:
        if address in self._conditional:
            return
        self.total += 1
        first, second = engine.mem_read(address, 2)
        if second == 0xBF and first & 0xF:  # IT: the lowest set bit of the mask ends it
            length = 4 - (first & 0xF & -(first & 0xF)).bit_length() + 1
            self.total += length
            code = bytes(engine.mem_read(address, 2 + 4 * length))
            sizes = instruction_sizes(code)
            self._conditional.update(address + sum(sizes[: i + 1]) for i in range(length))


def test_boot_is_counted_exactly(firmware: Callable[..., Path]) -> None:
    board = ProbeBoard(firmware())
    counted = InstructionCount(board.machine)
    assert board.machine.run(max_instructions=1000) is Stop.LIMIT
    assert board.machine.instructions == counted.total >= 1000


def test_work_between_stages_is_counted_exactly(firmware: Callable[..., Path]) -> None:
    board = ProbeBoard(firmware())
    counted = InstructionCount(board.machine)
    board.boot()
    board.line.to_board += WORK
    totals = []
    for stage in (1, 2):
        assert board.machine.run(until_stage=stage) is Stop.STAGE
        totals.append(counted.total)
    begin, end = board.stages()
    assert end.instructions - begin.instructions == totals[1] - totals[0] > 300


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
def test_a_fault_is_counted_to_the_instruction(firmware: Callable[..., Path], kind: int) -> None:
    board = ProbeBoard(firmware())
    counted = InstructionCount(board.machine)
    board.boot()
    board.line.to_board += b"F" + word(kind)
    board.machine.run(until_stage=0x50 + kind)
    before = board.machine.instructions, counted.total
    totals: list[int] = []

    def note(event: Event) -> None:
        totals.append(counted.total)
        board.events.append(event)

    board.machine._on_event = note
    board.machine.run()
    # The hook is called for an instruction that then faults; a fetch faults before it.
    begun = 1 if kind in (0, 1, 2) else 0
    assert board.faults()[0].instructions - before[0] == totals[0] - begun - before[1]


def test_the_firmware_sees_the_cycles_of_the_machine(probe: ProbeBoard) -> None:
    _, cycles = words(probe.ask(WORK))
    begin, end = probe.stages()
    assert 0 < cycles < end.cycles - begin.cycles  # the stages are around the reads of CYCCNT
    assert end.cycles - begin.cycles - cycles < 40


def test_cycle_counter_runs_between_two_reads_in_one_block(probe: ProbeBoard) -> None:
    assert words(probe.ask(b"C"))[0] > 0


def test_two_runs_give_the_same_counts(firmware: Callable[..., Path]) -> None:
    def play() -> tuple[bytes, int, int, list[object]]:
        board = ProbeBoard(firmware())
        answers = (
            board.boot() + board.ask(WORK) + board.ask(b"E" + word(3) + b"abc") + board.ask(b"Q")
        )
        counts = board.machine.instructions, board.machine.cycles
        board.machine.close()
        return answers, *counts, list(board.events)

    assert play() == play()


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_counts_do_not_depend_on_how_bytes_arrive(
    firmware: Callable[..., Path], pieces: int
) -> None:
    command = b"E" + word(20) + bytes(range(20)) + WORK

    def play(cuts: int) -> tuple[int, int]:
        board = ProbeBoard(firmware())
        board.boot()
        step = -(-len(command) // cuts)
        for start in range(0, len(command), step):
            # Run the waiting loop a few times over, as a slow host would.
            for _ in range(3):
                board.ask(b"")
            board.ask(command[start : start + step])
        counts = board.machine.instructions, board.machine.cycles
        board.machine.close()
        return counts

    assert play(pieces) == play(len(command))


def test_stopping_and_going_on_changes_nothing(firmware: Callable[..., Path]) -> None:
    whole, parts = ProbeBoard(firmware()), ProbeBoard(firmware())
    whole.boot()
    while parts.machine.run(max_instructions=37) is not Stop.IDLE:
        pass
    assert parts.machine.instructions == whole.machine.instructions
    assert parts.machine.cycles == whole.machine.cycles


@needs_compiler
def test_native_and_python_counts_are_identical(firmware: Callable[..., Path]) -> None:
    native, python = (
        ProbeBoard(firmware(), native=kind, timing="instructions") for kind in (True, False)
    )
    assert native.machine.native
    assert not python.machine.native
    for command in (b"", WORK, b"F" + word(0), b"E" + word(4) + b"four", b"Q", WORK):
        assert native.ask(command) == python.ask(command)
    assert native.events == python.events
    assert native.machine.instructions == python.machine.instructions
    assert native.machine.cycles == python.machine.cycles


@needs_compiler
def test_more_blocks_than_the_first_table_holds(tmp_path: Path) -> None:
    elf = compile_firmware(tmp_path, ("blocks.S",))
    counts = []
    for kind in (True, False):
        with Machine(BOARD, elf, native=kind, timing="instructions") as machine:
            machine.run(max_instructions=60_000)
            counts.append((machine.instructions, machine.cycles))
    assert counts[0] == counts[1]
    with Machine(BOARD, elf, timing="pipeline") as machine:
        machine.run(max_instructions=60_000)
        assert machine.instructions == counts[0][0]


def test_without_a_compiler_the_board_runs_slower_and_says_so(
    firmware: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    board = ProbeBoard(firmware())
    assert not board.machine.native
    (record,) = caplog.records
    assert "slower" in record.message
    assert "install a C compiler" in record.message
    assert board.boot() == b"!"


def test_a_bug_in_a_core_model_is_not_lost(
    firmware: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def place(self: CortexM7, operation: Operation, narrow: int) -> OperationFacts:
        raise ZeroDivisionError(operation)

    monkeypatch.setattr(CortexM7, "place", place)
    with Machine(BOARD, firmware()) as machine, pytest.raises(ZeroDivisionError):
        machine.run(max_instructions=100)


@needs_compiler
def test_all_timings_execute_the_same(firmware: Callable[..., Path]) -> None:
    boards = [ProbeBoard(firmware(), timing=timing) for timing in TIMINGS]
    assert [board.machine.timing for board in boards] == list(TIMINGS)
    for board in boards:
        board.ask(WORK)
    assert boards[0].machine.cycles == boards[0].machine.instructions
    for command in (b"F" + word(0), b"E" + word(4) + b"four", b"F" + word(3), b"Q", WORK):
        for board in boards:
            board.ask(command)
    counts = {board.machine.instructions for board in boards}
    assert len(counts) == 1
    # The same pipeline, in front of memory that waits.
    assert boards[1].machine.cycles < boards[2].machine.cycles


def test_a_timing_that_does_not_exist_is_refused(firmware: Callable[..., Path]) -> None:
    with pytest.raises(EmulatorError, match="no timing mode 'exact'; known: instructions, pipe"):
        Machine(BOARD, firmware(), timing="exact")
    with pytest.raises(EmulatorError, match="'pipeline' needs native code"):
        Machine(BOARD, firmware(), timing="pipeline", native=False)
