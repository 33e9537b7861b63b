# SPDX-License-Identifier: Apache-2.0
"""How fast the virtual board executes, with the native block hook and the Python one beside it.

Run: ``.venv/bin/python benchmarks/virtual_speed.py``. Needs arm-none-eabi-gcc. The work is an int8
dot product with a store for every output, what most of a network's time goes into.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from unas._process import find_program, run
from unas.board import load_board
from unas.virtual.machine import Machine

_SOURCE = """
  .syntax unified
  .thumb
  .section .text
  .word 0x20050000
  .word start + 1
start:
  ldr r7, =0x20010000
outer:
  mov r0, r7
  ldr r1, =0x08000000
  movs r2, #64
  movs r3, #0
inner:
  ldrsb r4, [r0], #1
  ldrsb r5, [r1], #1
  smlabb r3, r4, r5, r3
  subs r2, #1
  bne inner
  ssat r3, #8, r3
  strb r3, [r7]
  b outer
"""
_NATIVE_INSTRUCTIONS, _PYTHON_INSTRUCTIONS = 1_000_000_000, 20_000_000
_REPEATS = 3


def _build(folder: Path) -> Path:
    compiler = find_program("arm-none-eabi-gcc", "run: apt install gcc-arm-none-eabi")
    source, elf = folder / "speed.s", folder / "speed.elf"
    source.write_text(_SOURCE)
    place = "-Wl,-Ttext=0x08000000,-estart"
    run(
        [compiler, *load_board("f746").cpu_flags, "-nostdlib", place, source, "-o", elf],
        timeout_s=60,
    )
    return elf


def _speed(elf: Path, native: bool, instructions: int) -> float:
    """Millions of instructions a second of processor time, blocks already decoded."""
    with Machine(load_board("f746"), elf, native=native) as machine:
        machine.run(max_instructions=10_000)
        started = time.process_time()
        machine.run(max_instructions=instructions)
        return instructions / (time.process_time() - started) / 1e6


def main() -> None:
    """Print both speeds: the best of a few runs each."""
    with tempfile.TemporaryDirectory() as folder:
        elf = _build(Path(folder))
        for native, instructions in ((True, _NATIVE_INSTRUCTIONS), (False, _PYTHON_INSTRUCTIONS)):
            best = max(_speed(elf, native, instructions) for _ in range(_REPEATS))
            print(f"{'native' if native else 'python'} block hook: {best:8.1f} M instructions/s")


if __name__ == "__main__":
    main()
