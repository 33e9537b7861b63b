# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.virtual.probe_board import BOARD, ProbeBoard, word, words
from unas.errors import EmulatorError

MAGIC = 0xFA17C0DE
FORCED = 1 << 30
PRECISE = 1 << 15 | 1 << 9  # BFARVALID, PRECISERR: ARMv7-M ARM B3.2.15


@dataclass(frozen=True)
class Case:
    kind: int
    status: int
    words: str
    address: int | None = None


CASES = [
    Case(0, PRECISE, "read of 4 bytes at 0x60000000, outside", 0x60000000),
    Case(1, PRECISE, "write of 4 bytes at 0x08000000, to flash", BOARD.region("flash").start),
    Case(2, 1 << 16, "undefined instruction"),
    Case(3, 1 << 0, "instruction fetch where there is no code memory"),
    Case(4, 1 << 17, "branch to an even address"),
    Case(9, PRECISE, "read of 4 bytes at 0x20050000, outside", BOARD.region("sram2").end),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.words)
def test_the_handler_runs_and_its_record_survives_the_reset(probe: ProbeBoard, case: Case) -> None:
    assert probe.ask(b"F" + word(case.kind)) == b"!"  # the handler reset the board
    magic, pc, _, status, hard, address, stage = words(probe.ask(b"L"))
    (fault,) = probe.faults()
    assert case.words in fault.fault
    assert (magic, status, hard) == (MAGIC, case.status, FORCED)
    assert pc == fault.pc
    assert stage == 0x50 + case.kind
    if case.address is not None:
        assert address == fault.address == case.address


def test_flash_keeps_its_content(probe: ProbeBoard) -> None:
    start = BOARD.region("flash").start
    before = probe.register(start)
    probe.ask(b"F" + word(1))
    assert probe.register(start) == before


def test_the_board_works_on_after_a_fault(firmware: Callable[..., Path]) -> None:
    # Counted in instructions: in cycles, the branch predictor's past shows, as on silicon.
    probe = ProbeBoard(firmware(), timing="instructions")
    probe.boot()
    result = probe.ask(b"W" + word(20))[:4]  # the rest are cycles, and the caches remember
    for _ in range(3):
        probe.ask(b"F" + word(2))
        assert probe.ask(b"W" + word(20))[:4] == result


def test_a_fault_without_a_vector_table_of_its_own(firmware: Callable[..., Path]) -> None:
    # VTOR is 0x00200000 at reset: the same flash through its other address.
    board = ProbeBoard(firmware("BREAK_VTOR"))
    board.boot()
    assert board.ask(b"F" + word(0)) == b"!"


def test_a_fault_in_the_handler_is_a_lockup(firmware: Callable[..., Path]) -> None:
    board = ProbeBoard(firmware("BREAK_HANDLER"))
    board.boot()
    with pytest.raises(EmulatorError, match=r"hard_fault.*lockup: read of 4 bytes at 0x60000000"):
        board.ask(b"F" + word(0))
    assert len(board.faults()) == 2


def test_a_fault_with_the_stack_outside_ram_is_a_lockup(probe: ProbeBoard) -> None:
    with pytest.raises(EmulatorError, match=r"lockup: .* stack pointer .* is outside RAM"):
        probe.ask(b"F" + word(8))
