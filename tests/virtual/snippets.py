# SPDX-License-Identifier: Apache-2.0
"""Thumb snippets on a virtual board, and the cycles that they take."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from unas._process import run
from unas.board import Board, load_board
from unas.virtual.machine.events import Event, StageEvent
from unas.virtual.machine.machine import Machine

F746 = load_board("f746")
# A Cortex-M4 in the map of the F746: the core's rules need no other chip.
_LONGEST = 1_000_000
M4 = dataclasses.replace(F746, core="cortex-m4")

# Two writes to the trace port say when. What is measured starts on 32 bytes, as aligned as any rule
# asks for, behind a taken branch; DSB pairs with nothing, so nothing of it hides behind the end.
_PROGRAM = """
  .syntax unified
  .thumb
  .section .text
  .word 0x20008000
  .word start + 1
start:
  ldr r0, =0xE000ED88
  mov r1, #0x00F00000
  str r1, [r0]
  ldr r10, =0xE0000000
  ldr r0, ={data:#x}
  ldr r1, ={data:#x} + 4
  movs r2, #0
  movs r3, #0
{setup}
  b.w ready
  .balign 8
ready:
  mov.w r11, #1
  mov.w r12, #2
  str.w r11, [r10]
  b.w code
  .ltorg
  .balign 32
code:
{code}
  dsb
  str.w r12, [r10]
done:
  b done
  .ltorg
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a snippet took."""

    instructions: int
    cycles: int


def build(folder: Path, text: str) -> Path:
    """Assemble a program that starts at the flash."""
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    source, elf = folder / f"{name}.s", folder / f"{name}.elf"
    if elf.exists():
        return elf
    source.write_text(text)
    command: list[str | Path] = ["arm-none-eabi-gcc", *F746.cpu_flags, "-nostdlib"]
    run(
        [*command, "-Wl,-Ttext=0x08000000,-estart,-n", source, "-o", elf],
        timeout_s=30,
    )
    return elf


class Bench:
    """Runs snippets on a board."""

    def __init__(self, folder: Path, board: Board, timing: str = "pipeline") -> None:
        self.folder, self.board, self.timing = folder, board, timing

    def run(self, code: str, setup: str = "", data: int = 0x20001000) -> Counted:
        """What is counted from the first instruction of ``code`` to its end.

        The same program with nothing in the place of ``code`` is taken off.
        """
        whole, empty = (self._once(text, setup, data) for text in (code, ""))
        return Counted(whole.instructions - empty.instructions, whole.cycles - empty.cycles)

    def _once(self, code: str, setup: str, data: int) -> Counted:
        lines = (text.replace(";", "\n") for text in (code, setup))
        text = _PROGRAM.format(**dict(zip(("code", "setup"), lines, strict=True)), data=data)
        marks: list[Event] = []
        elf = build(self.folder, text)
        with Machine(self.board, elf, timing=self.timing, on_event=marks.append) as machine:
            machine.run(max_instructions=_LONGEST, until_stage=2)
        begin, end = (mark for mark in marks if isinstance(mark, StageEvent))
        return Counted(end.instructions - begin.instructions, end.cycles - begin.cycles)
