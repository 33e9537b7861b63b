# SPDX-License-Identifier: Apache-2.0
"""Blocks longer than Unicorn translates in one piece, executed often: all timings count the same.

How much fits into one piece depends on the hooks in it. A published image, with 230 instructions in
a row, was counted short by a fifth of them when that was overlooked.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.virtual.snippets import F746, M4, Bench
from unas.board import Board
from unas.virtual.timing.counters import INSTRUCTIONS, PIPELINE, PIPELINE_MEMORY

_ROUNDS = 1300  # often enough for every way in which blocks are made fast
_STEP = "  ldr r5, [r0, #{offset}]\n  smlad r6, r5, r5, r6\n  str r6, [r1, #{offset}]\n"


def _loop(steps: int) -> str:
    body = "".join(_STEP.format(offset=4 * (i % 16)) for i in range(steps))
    return f"again:\n{body}  subs r7, #1\n  bne.w again\n"


@pytest.mark.slow
@pytest.mark.parametrize("board", [F746, M4], ids=["m7", "m4"])
@pytest.mark.parametrize("steps", [20, 75, 77, 100, 250])
def test_long_blocks_are_counted_whole(tmp_path: Path, board: Board, steps: int) -> None:
    setup = f"  movw r7, #{_ROUNDS}\n  movs r6, #0\n"
    counts = {
        timing: Bench(tmp_path, board, timing).run(_loop(steps), setup).instructions
        for timing in (INSTRUCTIONS, PIPELINE, PIPELINE_MEMORY)
    }
    assert set(counts.values()) == {_ROUNDS * (3 * steps + 2)}
