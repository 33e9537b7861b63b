# SPDX-License-Identifier: Apache-2.0
"""Cortex-M7: the micro-benchmarks that were measured on silicon.

JNK = github.com/jnk0le/random, on an STM32H743; QUIN = quinapalus.com, on an STM32H730; RE =
rust-embedded/cortex-m issue 430; MASTO = Mastodon, tag CortexM7; INF = concluded from those.
"""

from __future__ import annotations

import pytest

from tests.virtual.snippets import F746, Bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("snippets"), F746)


def repeat(text: str, times: int) -> str:
    return ";".join([text] * times)


def rotate(text: str, registers: list[int], times: int) -> str:
    """``text`` with {0} taken from the registers in turn."""
    return ";".join(text.format(registers[i % len(registers)]) for i in range(times))


@pytest.mark.parametrize(
    ("code", "setup", "cycles"),
    [
        # 19: JNK, QUIN: two a cycle
        (rotate("add.w r{0}, r2, r3", [4, 5], 20), "", 10),
        # 20: INF: one a cycle: the first two pair, early and late ALU bring no more in the long run
        (repeat("add.w r4, r4, r5", 20), "", 19),
        # JNK: an ADD feeds a late operation of the same cycle; MOVW and MOVT pair
        (repeat("add.w r4, r5, r6; eor.w r7, r4, r6", 10), "", 10),
        (repeat("movw r4, #1; movt r4, #2", 10), "", 10),
        # 21: JNK: a word reaches the late ALU in the next cycle; the first pair takes two
        (repeat("ldr.w r4, [r0]; add.w r5, r5, r4", 20), "", 20 + 1),
        # 22: JNK: opposite banks, one cycle more to a multiplicand; the next loads overlap
        (repeat("ldr r4, [r0], #4; ldr r5, [r1], #4; smlad r6, r4, r5, r6", 10), "", 30),
        # 23: JNK, QUIN: the chain of addends runs every cycle, a product is there after 2
        (repeat("smlad r4, r5, r6, r4", 20), "", 20),
        ("mul r4, r5, r6; add.w r7, r4, r5", "", 3),
        # 24: JNK: two loads a cycle from even and odd words, one from the same
        (repeat("ldr.w r4, [r0]; ldr.w r5, [r1]", 10), "", 10),
        (repeat("ldr.w r4, [r0]; ldr.w r5, [r0, #8]", 10), "", 20),
        # 25: JNK: one DSP instruction a cycle, the older of a pair
        (repeat("sxtb16 r4, r5", 20), "", 20),
        (repeat("sxtb16 r4, r5; add.w r6, r7, r7", 10), "", 10),
        # 26: JNK, MASTO: one shifter
        (rotate("add.w r{0}, r2, r3, lsl #2", [4, 5], 20), "", 20),
        (repeat("add.w r4, r2, r3, lsl #2; add.w r5, r2, r3", 10), "", 10),
        # JNK's matrix: rotated constants use it, patterns do not
        (rotate("eor.w r{0}, r2, #0x1fc0", [4, 5], 20), "", 20),
        (rotate("eor.w r{0}, r2, #0x1b1b1b1b", [4, 5], 20), "", 10),
        # 27: JNK
        (repeat("ldr.w r4, [r0]; str.w r5, [r1]", 10), "", 10),
        (repeat("str.w r4, [r0]", 20), "", 20),
        (repeat("mla r4, r5, r6, r7; str.w r3, [r0]", 10), "", 20),
        # 28: JNK: two registers a cycle, alone; 1 more without two 16-bit instructions nearby
        ("ldmia.w r0, {r4-r7}; nop; nop", "", 2 + 1),
        ("ldrd r4, r5, [r0]; nop; nop", "", 1 + 1),
        # INF from JNK: LDR to address of LDR: 3 (QUIN)
        (repeat("ldr.w r0, [r0]", 10), "str r0, [r0]", 9 * 3 + 1),
        # JNK: bytes one cycle later than words
        (repeat("ldrb.w r4, [r0]; add.w r5, r5, r4", 1), "", 3),
        # JNK: a result of DSP reaches an address one cycle later, one of ADD does not
        ("uxtb.w r4, r2; ldr.w r5, [r0, r4]", "", 3),
        ("add.w r4, r2, #0; ldr.w r5, [r0, r4]", "", 2),
        # JNK: an operand that is shifted is needed one cycle earlier
        ("eor.w r4, r2, r3; add.w r5, r2, r4, lsl #1", "", 3),
        # 29: RE: one cycle an iteration, aligned to 8; the last one is mispredicted: 8 more (JNK)
        ("1: subs r4, #1; bne 1b", "movs r4, #100", 100 + 8),
        # 30: JNK: 6 if the flags are 3 cycles old
        (
            f"1: subs r4, #1; {rotate('add.w r{0}, r2, r3', [5, 6], 6)}; bne 1b",
            "movs r4, #100",
            100 * 4 + 6,
        ),
        # 31: JNK: unaligned loads, older and younger
        ("ldr.w r4, [r0]", "adds r0, #1", 1 + 3),
        ("add.w r5, r2, r3; ldr.w r4, [r0]", "adds r0, #1", 1 + 4),
        # 32: JNK, QUIN
        (repeat("vfma.f32 s0, s1, s2", 10), "", 9 * 3 + 1),
        (rotate("vfma.f32 s{0}, s1, s2", [3, 4, 5], 30), "", 30),
        ("vdiv.f32 s0, s1, s2", "", 16),
        # Arm Community 9930: 2.5 clocks each of independent VFMA and VADD
        (repeat("vfma.f32 s0, s1, s2; vadd.f32 s3, s4, s5", 10), "", 9 * 5 + 5),
        # 33: QUIN
        ("adcs.w r4, r5, r6; adcs.w r7, r5, r6", "", 2),
        ("adc.w r4, r5, r6; adc.w r7, r5, r6", "", 1),
    ],
)
def test_cycles(bench: Bench, code: str, setup: str, cycles: int) -> None:
    assert bench.run(code, setup).cycles == cycles
