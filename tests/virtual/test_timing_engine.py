# SPDX-License-Identifier: Apache-2.0
"""The engine's short cuts change no count: blocks without calls, blocks that are remembered."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.virtual.probe_board import ProbeBoard, word
from tests.virtual.snippets import F746, M4, Bench, build
from unas.board import Board
from unas.virtual.machine.machine import Machine
from unas.virtual.native.library import native_library
from unas.virtual.timing import layout, pipeline
from unas.virtual.timing.core_model import describe_block
from unas.virtual.timing.cortex_m7 import CortexM7, M7Switches
from unas.virtual.timing.decode import Decoder
from unas.virtual.timing.instructions import MovableHook

_WORDS = ("ldr.w r{0}, [r8], #4", "ldrb.w r{0}, [r9], #1", "str.w r{0}, [r10, #{1}]")
_PLAIN = (
    "add.w r{0}, r{1}, r{2}",
    "eor.w r{0}, r{1}, r{2}, lsl #3",
    "smlad r{0}, r{1}, r{2}, r{0}",
    "sxtb16 r{0}, r{1}, ror #8",
    "lsls r{0}, r{1}, #3",
    "uxtab16 r{0}, r{1}, r{2}",
    "adds r{0}, r{1}, #1",
    "ldr.w r{0}, [r9, r7]",
    "mul r{0}, r{1}, r{2}",
    "cmp r{0}, r{1}; it lt; movlt r{0}, r{2}",
)


class _Fixed(MovableHook):
    """As with a Unicorn whose structures are not recognised."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.movable = False


def _program(seed: int) -> str:
    """Loops of random instructions over caches that are too small for them."""
    draw = random.Random(seed)

    def line() -> str:
        text = draw.choice(_WORDS if draw.random() < 0.4 else _PLAIN)
        registers = [draw.randrange(6) for _ in range(3)]
        if text.startswith("str"):
            registers[1] = 4 * draw.randrange(16)
        return text.format(*registers).replace(";", "\n")

    loops = []
    for number in range(12):
        body = "\n".join(line() for _ in range(draw.randrange(3, 40)))
        loops.append(
            f"mov r11, #{draw.randrange(70, 300)}\n{number}0:\n{body}\nsubs r11, #1\nbne {number}0b"
        )
    body = "\n".join(loops)
    return f"""
  .syntax unified
  .thumb
  .section .text
  .word 0x20050000
  .word start + 1
start:
  ldr r0, =0xE000ED14
  mov r1, #0x30000
  str r1, [r0]
  mov r12, #3
again:
  ldr r8, =0x08000000
  ldr r9, =0x20012000
  ldr r10, =0x20014000
  mov r7, #8
{body}
  subs r12, #1
  bne again
done:
  b done
  .ltorg
"""


@pytest.mark.parametrize("board", [F746, M4], ids=["m7", "m4"])
@pytest.mark.parametrize("timing", ["pipeline", "pipeline+memory"])
def test_short_cuts_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: Board, timing: str
) -> None:
    def counts(elf: Path) -> list[tuple[int, int]]:
        with Machine(board, elf, timing=timing) as machine:
            found = []
            for _ in range(20):
                machine.run(max_instructions=20_011)
                found.append((machine.instructions, machine.cycles))
            return found

    for seed in range(3):
        elf = build(tmp_path, _program(seed))
        quick = counts(elf)
        assert quick == counts(elf)
        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "MovableHook", _Fixed)
            assert counts(elf) == quick


def test_peripherals_see_the_same_time(
    firmware: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def play() -> list[object]:
        board = ProbeBoard(firmware())
        answers = [board.ask(b"W" + word(n)) for n in (3, 300, 3000, 300)]
        return [*answers, *board.events, board.machine.cycles]

    quick = play()
    monkeypatch.setattr(pipeline, "MovableHook", _Fixed)
    assert play() == quick


def test_a_hook_that_was_not_found_is_everywhere(
    firmware: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = ProbeBoard(firmware())
    board.ask(b"W" + word(30))
    monkeypatch.setattr("unas.virtual.timing.instructions._SEARCHED_WORDS", 1)
    slow = ProbeBoard(firmware())
    slow.ask(b"W" + word(30))
    assert slow.machine.cycles == board.machine.cycles


def _stores(model: CortexM7, code: bytes, addresses: list[int]) -> int:
    """Cycles of stores to these addresses, one after the other, from the rules in C."""
    library = native_library()
    library.engine_state_bytes.restype = ctypes.c_size_t
    library.m7_run.argtypes = (*[ctypes.c_void_p] * 5, ctypes.c_uint32)
    state = ctypes.create_string_buffer(library.engine_state_bytes())
    table = model.table(F746)
    table.fetch_shift = 0
    block = describe_block(model, tuple(Decoder().block(code)), 0)
    array = (layout.Instruction * len(block))(*block)
    seen = (ctypes.c_uint64 * len(block))(*addresses)
    library.m7_run(state, ctypes.byref(table), None, array, seen, len(block))
    return int.from_bytes(state.raw[:8], "little")


@pytest.mark.parametrize(
    ("step", "per_store"),
    [
        # JNK, on the STM32H743, whose RAM is read and written back for each byte: one bank 4, two
        # in turn 2. Unit stride is 2.4 there; here the banks' turns of four give between 2 and 4.
        (8, (4.0, 4.0)),
        (4, (2.0, 2.0)),
        (1, (2.0, 4.0)),
    ],
)
def test_byte_stores_where_ram_has_ecc(step: int, per_store: tuple[float, float]) -> None:
    count = 400
    code = bytes.fromhex("80f80010") * count  # strb.w r1, [r0]
    addresses = [0x20000000 + step * i for i in range(count)]
    cycles = _stores(CortexM7(M7Switches(narrow_store_cycles=4)), code, addresses) / count
    assert per_store[0] - 0.1 <= cycles <= per_store[1] + 0.1
    assert _stores(CortexM7(), code, addresses) == count  # the F746's has none


def test_unaligned_stores_fill_the_queue() -> None:
    code = bytes.fromhex("c0f80010")  # str.w r1, [r0]
    # JNK: free until five are in a row, then 4 cycles each.
    assert _stores(CortexM7(), code * 5, [0x20000001] * 5) == 5
    many = _stores(CortexM7(), code * 405, [0x20000001] * 405)
    assert abs(many - 400 * 4) <= 20


def test_each_exit_of_a_short_loop_is_mispredicted(tmp_path: Path) -> None:
    # RE: aligned, one cycle an iteration; JNK: 8 for the exit. Two-bit counters (INF) forget only
    # half of what they know at an exit, so the first iteration of the next time is no surprise.
    start = "mov.w r5, #100; add.w r6, r6, r6; 2: mov.w r4, #4; add.w r6, r6, r6"
    end = "subs r5, #1; bne 2b"
    bench = Bench(tmp_path, F746)
    loop, none = (bench.run(f"{start}; {body} {end}") for body in ("1: subs r4, #1; bne 1b;", ""))
    assert (loop.cycles - none.cycles) / 100 == pytest.approx(4 + 8, abs=0.5)
