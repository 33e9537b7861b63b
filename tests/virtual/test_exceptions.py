# SPDX-License-Identifier: Apache-2.0
"""Exceptions as the ARMv7-M architecture reference manual has them, on real code."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.virtual.exception_board import Finished, compile_scenario, faults_in, finish

THUMB, ALIGNED = 1 << 24, 1 << 9
FLAGS = 0xF80F0000  # N Z C V Q and GE
BASIC, EXTENDED = 0x20, 0x68
ONE, FIFTEEN = 0x3F800000, 0x41700000
ENTRY, CHAIN, RETURN = 12, 6, 10  # Cortex-M4 TRM 3.9; see entry.py


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exceptions")


def scenario(folder: Path, name: str, *defines: str, timing: str | None = None) -> Finished:
    return finish(compile_scenario(folder, name, *defines), timing=timing)


def test_the_basic_frame_word_by_word(folder: Path) -> None:
    done = scenario(folder, "frame")
    exc_return, address, *frame = done.results[:10]
    assert exc_return == 0xFFFFFFF9  # thread mode, main stack, basic frame: B1.5.8
    registers = [0x10000000, 0x11111111, 0x22222222, 0x33333333, 0xCCCCCCCC, 0xEEEEEEEE]
    assert frame[:6] == registers
    assert frame[6] == done.symbols["behind_svc"] & ~1
    # B1.5.7: the stack was at 4 modulo 8, so a word was left out, and bit 9 tells so.
    assert frame[7] == FLAGS | THUMB | ALIGNED
    assert address % 8 == 0


def test_all_that_a_frame_holds_comes_back(folder: Path) -> None:
    done = scenario(folder, "frame")
    r0, r1, r2, r3, flags, r12, lr = done.results[40:47]
    assert (r0, r1, r2, r3) == (0x10000000, 0x11111111, 0x22222222, 0x33333333)
    assert (flags, r12, lr) == (FLAGS, 0xCCCCCCCC, 0xEEEEEEEE)


def test_the_extended_frame(folder: Path) -> None:
    done = scenario(folder, "frame", "FLOAT_FRAME")
    exc_return, address, *frame = done.results[:28]
    assert exc_return == 0xFFFFFFE9
    assert (frame[8], frame[8 + 15]) == (ONE, FIFTEEN)
    assert frame[24] == 0x00C00000  # FPSCR: round towards zero, B1.5.7 figure
    pending, place, after_use = done.results[28:31]
    assert pending & 1  # FPCCR.LSPACT: nothing of a handler has touched the registers yet
    assert place == address + BASIC
    assert not after_use & 1  # its first floating-point instruction ended that
    assert done.results[47:49] == (ONE, FIFTEEN)  # the handler had overwritten S0 and S15


def test_threads_on_the_process_stack(folder: Path) -> None:
    done = scenario(folder, "process_stack")
    exc_return, address = done.results[:2]
    assert exc_return == 0xFFFFFFFD
    control, stack = done.results[40:42]
    assert control & 2
    assert stack <= address < stack + 512


def test_order_of_exceptions(folder: Path) -> None:
    done = scenario(folder, "priorities", "PRIORITIES")
    log = done.results[:10]
    # Masked: nothing. Unmasked: the most urgent, then by number; 0 pends 1 and is preempted by it.
    # BASEPRI 0x60 keeps 2, of priority 0x80, waiting.
    assert log == (0xA0, 0xB1, 0xB0, 0xB1, 0xE0, 0xB2, 0xA1, 0xA2, 0xB2, 0xA3)


def test_what_entry_chaining_and_return_cost(folder: Path) -> None:
    done = scenario(folder, "chain", timing="instructions")
    # One cycle an instruction, and one way in, one from handler to handler, one way out.
    assert done.cycles - done.instructions == ENTRY + CHAIN + RETURN
    preempted = scenario(folder, "priorities", "PRIORITIES", timing="instructions")
    # In: 1, then 0 by chain, 1 preempts 0 and returns into it, 2 by chain, out; again 2.
    assert preempted.cycles - preempted.instructions == 3 * (ENTRY + RETURN) + 2 * CHAIN


@pytest.mark.parametrize("timing", ["instructions", "pipeline+memory"])
def test_systick_wakes_a_sleeper_exactly_on_time(folder: Path, timing: str) -> None:
    done = scenario(folder, "sleeping", timing=timing)
    moments = [cycles for _, cycles in done.stages]
    assert len(moments) == 5
    # LOAD = 9999: 10000 clocks a round; after the first one, what precedes the marker is the same.
    assert {after - before for before, after in itertools.pairwise(moments[1:])} == {10_000}
    assert 45_000 < done.asleep_cycles < 50_000


def test_events_and_their_register(folder: Path) -> None:
    done = scenario(folder, "events")
    (first, early), (second, late) = done.stages
    assert (first, second) == (1, 2)
    assert done.asleep_cycles > 9_000  # only the second WFE slept; PRIMASK keeps SysTick waiting
    assert late - early > 9_000


@pytest.mark.parametrize("timing", ["instructions", "pipeline+memory"])
def test_a_timer_counts_virtual_time(folder: Path, timing: str) -> None:
    done = scenario(folder, "timer", timing=timing)
    moments = [cycles for _, cycles in done.stages]
    # PSC = 9 and ARR = 999 on the 16 MHz of the core: 10 * 1000 cycles a round.
    assert [b - a for a, b in itertools.pairwise(moments[1:])] == [10_000] * 3
    counts = {stage - 0x200 for stage, _ in done.stages}
    assert max(counts) < 30  # CNT is read within 300 cycles of the update: entry and a few loads


def test_interrupts_of_the_uart(folder: Path) -> None:
    done = finish(compile_scenario(folder, "uart_interrupts"), given=b"Hello\n")
    assert done.said == b"hELLO\n"  # upper and lower case swapped by the handler
    moments = [cycles for stage, cycles in done.stages if stage < 0x3FF]
    # BRR = 139 at 16 MHz: a byte has ten bits of 139 cycles.
    assert [b - a for a, b in itertools.pairwise(moments[1:])] == [1390] * 4


def test_dma_of_the_uart(folder: Path) -> None:
    done = finish(compile_scenario(folder, "uart_dma"), given=b"by DMA!\n")
    assert done.said == b"by DMA!\n"
    assert done.results[0] & 1 == 0  # the stream switched itself off


@pytest.mark.parametrize("timing", ["instructions", "pipeline+memory"])
def test_two_threads_that_calculate_in_turn(folder: Path, timing: str) -> None:
    done = scenario(folder, "switching", "SWITCHING", timing=timing)
    alone = done.results[2:4]
    assert done.results[:2] == alone  # preempted some hundred times in the middle of it
    assert done.exit_code is not None
    assert done.exit_code > 50


def test_faults_that_are_handled(folder: Path) -> None:
    done = scenario(folder, "faults")
    precise = 1 << 15 | 1 << 9  # BFARVALID, PRECISERR
    assert done.results[:7] == (
        *(precise, 0xFFFFFFF9, 0xA0),  # in thread mode
        *(precise, 0xFFFFFFF1, 0xB3),  # in a handler: it goes back to one
        0xA1,
    )
    assert [fault.address for fault in faults_in(done)] == [0x60000000] * 2


def test_semihosting(folder: Path) -> None:
    done = scenario(folder, "greet")
    assert (done.said, done.exit_code) == (b"hello\n", 3)
