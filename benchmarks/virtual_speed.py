# SPDX-License-Identifier: Apache-2.0
"""How fast the virtual board executes, in each timing mode, and without native code beside it.

Run: ``.venv/bin/python benchmarks/virtual_speed.py``. Needs arm-none-eabi-gcc. The work is what
most of a network's time goes into: int8 dot products, four weights of two channels a step, with the
weights in flash, the inputs in RAM, both behind the caches, and an output stored for each.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from unas._process import find_program, run
from unas.board import load_board
from unas.virtual.machine.machine import Machine

_SOURCE = """
  .syntax unified
  .thumb
  .section .text
  .word 0x20050000
  .word start + 1
start:
  ldr r0, =0x40023C00   @ FLASH_ACR: 7 wait states
  movs r1, #7
  str r1, [r0]
  ldr r0, =0xE000ED14   @ CCR: caches on
  mov r1, #0x30000
  str r1, [r0]
  dsb
  isb
  ldr r7, =0x20010000
  mov r8, r7
outer:
  ldr r1, =0x08000000
  movs r9, #16
channel:
  mov r0, r8
  add r2, r1, #256
  movs r10, #32
  movs r3, #0
  movs r4, #0
  .balign 8
inner:
  ldr r5, [r0], #4
  ldr r6, [r1], #4
  ldr r11, [r2], #4
  sxtb16 r12, r5
  sxtb16 r5, r5, ror #8
  sxtb16 r14, r6
  sxtb16 r6, r6, ror #8
  smlad r3, r12, r14, r3
  smlad r3, r5, r6, r3
  sxtb16 r14, r11
  sxtb16 r11, r11, ror #8
  smlad r4, r12, r14, r4
  smlad r4, r5, r11, r4
  subs r10, #1
  bne inner
  ssat r3, #8, r3
  ssat r4, #8, r4
  strb r3, [r7], #1
  strb r4, [r7], #1
  subs r9, #1
  bne channel
  mov r7, r8
  b outer
"""
_RUNS: tuple[tuple[str, bool, int], ...] = (
    ("instructions", True, 600_000_000),
    ("pipeline", True, 200_000_000),
    ("pipeline+memory", True, 200_000_000),
    ("instructions", False, 20_000_000),
)
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


def _speed(elf: Path, timing: str, native: bool, instructions: int) -> tuple[float, float]:
    """Millions of instructions a second of processor time, blocks already decoded; cycles each."""
    with Machine(load_board("f746"), elf, timing=timing, native=native) as machine:
        machine.run(max_instructions=100_000)
        before = machine.instructions, machine.cycles
        started = time.process_time()
        machine.run(max_instructions=instructions)
        seconds = time.process_time() - started
        done, cycles = machine.instructions - before[0], machine.cycles - before[1]
        return done / seconds / 1e6, cycles / done


def main() -> None:
    """Print the speeds: the best of a few runs each."""
    with tempfile.TemporaryDirectory() as folder:
        elf = _build(Path(folder))
        for timing, native, instructions in _RUNS:
            runs = [_speed(elf, timing, native, instructions) for _ in range(_REPEATS)]
            fastest, cycles = max(runs)
            kind = "native" if native else "python"
            print(f"{timing:16} {kind}: {fastest:8.1f} M instructions/s, {cycles:.3f} cycles each")


if __name__ == "__main__":
    main()
