# SPDX-License-Identifier: Apache-2.0
"""Cortex-M4: the micro-benchmarks whose results are documented or were measured on silicon.

TRM = Arm DDI 0439; I0 = compendium.i-0.nl; G474 = github.com/studyztp/gem5, on an STM32G474; JNK =
github.com/jnk0le/random. G474 timed code and data in the cache; here memory does not wait at all.
"""

from __future__ import annotations

import pytest

from tests.virtual.snippets import M4, Bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("snippets"), M4)


def repeat(text: str, times: int) -> str:
    return ";".join([text] * times)


@pytest.mark.parametrize(
    ("code", "setup", "cycles"),
    [
        # 1: G474: 1.0 each
        (repeat("nop", 100), "", 100),
        (repeat("add.w r4, r5, r6", 100), "", 100),
        # 2: G474: 100 iterations take 305 with the harness; I0: taken 2. The last one falls through
        ("1: subs r4, #1; bne 1b", "movs r4, #100", 99 * 3 + 2),
        # 3: G474: 11 an iteration
        (f"1: {repeat('nop', 8)}; subs r4, #1; bne 1b", "movs r4, #100", 99 * 11 + 10),
        # 4: G474: 6 an iteration: a branch that is taken to the next instruction costs 2
        ("1: cmp r4, r4; beq 2f; 2: subs r4, #1; bne 1b", "movs r4, #100", 99 * 6 + 5),
        # 5: G474: 1.0 each and one more; TRM 3.3.2
        (repeat("ldr r5, [r0]", 50), "", 51),
        # 6: G474: 2 each
        (repeat("ldr r0, [r0]", 50), "str r0, [r0]", 100),
        # 7: TRM 3.3.3: 1, address interlock 1, load 2
        (repeat("add.w r0, #4; ldr r5, [r0]; add.w r6, #1", 10), "", 50),
        # 8: G474: 1 each
        (repeat("str r5, [r0, #4]", 50), "", 50),
        # 9: JNK: a store with register offset takes 2
        (repeat("str r5, [r0, r2]; add r6, r7", 10), "", 30),
        # 10: I0 (the first two on the G474, too)
        ("sdiv r7, r4, r5", "mvn r4, #0x80000000; mov r5, #1", 12),
        ("sdiv r7, r4, r5", "mov r4, #15; mov r5, #3", 5),
        ("sdiv r7, r4, r5", "mov r4, #0; mov r5, #5", 2),
        ("sdiv r7, r4, r5", "mov r4, #1; mov r5, #8", 3),
        ("sdiv r7, r4, r5", "mvn r4, #14; mov r5, #3", 5),  # -15: the magnitude counts
        ("udiv r7, r4, r5", "mvn r4, #0; mov r5, #1", 5 + 31 // 4),
        # 11: TRM table 3-1
        (repeat("smlad r4, r5, r6, r4", 100), "", 100),
        (repeat("sxtb16 r4, r5", 100), "", 100),
        # 12: TRM, JNK: two bases: 3 for the pair of loads, and 1
        (repeat("ldr r4, [r0], #4; ldr r5, [r1], #4; smlad r6, r4, r5, r6", 10), "", 40),
        # 13: TRM
        (repeat("ldr r4, [r0], #4; sxtb16 r5, r4; sxtb16 r6, r4, ror #8", 10), "", 40),
        # 14: TRM
        ("ldrd r4, r5, [r0]", "", 3),
        ("ldmia r0, {r4-r7}", "", 5),
        ("push {r0-r7}", "", 9),
        # 15: TRM: IT folds onto the 16-bit instruction before it; it costs 1 behind a long one
        ("cmp r2, #0; it eq; moveq r4, #1", "", 2),
        ("cmp.w r2, #0; it eq; moveq r4, #1", "", 3),
        # INF: a skipped instruction takes 1
        ("cmp r2, #0; it ne; ldrne r4, [r0]", "", 2),
        # 16: TRM table 7-1
        (repeat("vfma.f32 s0, s1, s2", 10), "", 30),
        (repeat("vadd.f32 s0, s0, s1", 10), "", 19),  # each but the first waits for the one before
        # TRM: integer instructions go on behind VDIV, floating point waits for it
        (f"vdiv.f32 s0, s1, s2; {repeat('add.w r4, r5, r6', 6)}", "", 7),
        ("vdiv.f32 s0, s1, s2; vadd.f32 s3, s4, s5", "", 15),
        # 18: TRM 3.3.2: unaligned words
        (repeat("ldr.w r5, [r0]; add.w r6, r7, r7", 100), "adds r0, #2", 400),
        (repeat("ldr.w r5, [r0]; add.w r6, r7, r7", 100), "adds r0, #1", 500),
        (repeat("ldrh.w r5, [r0]; add.w r6, r7, r7", 100), "adds r0, #1", 400),
        # TRM: neighbours of loads and stores
        ("ldr r4, [r0]; ldr r5, [r1]; ldr r6, [r0]", "", 4),
        ("ldr r4, [r0]; str r5, [r1]", "", 3),
        ("ldr r4, [r0]; str r5, [r1, r2]", "", 3),
        # JNK: not pipelined: other memory, 32 bits at an odd halfword
        ("ldr r4, [r0]; ldr r5, [r1]", "mov r1, #0x20000000; add r1, #0x10000", 4),
        # but with the same base written twice it is: see cortex_m4.Switches.same_base_breaks
        ("ldr r4, [r0], #4; ldr r5, [r0], #4", "", 3),
        ("nop; ldr.w r4, [r0]; ldr.w r5, [r1]", "", 5),
        # JNK: a NOP behind a load, a load behind a store
        ("ldr r4, [r0]; nop", "", 2),
        ("str r4, [r0]; ldr r5, [r1]", "", 4),
        # I0: branch to a 32-bit instruction at an odd halfword: 3
        ("b 1f; .balign 4; nop; 1: add.w r4, r5, r6", "", 3 + 1),
        # I0: three 32-bit instructions at odd halfwords cost one more, once
        (f"nop; {repeat('add.w r4, r5, r6', 3)}; nop", "", 6),
        (f"nop; {repeat('add.w r4, r5, r6', 2)}; nop", "", 4),
        (f"nop; {repeat('str.w r5, [r0, #4]', 3)}; nop", "", 5),
        # INF: BX 3
        ("bl 1f; b 2f; .balign 4; 1: bx lr; .balign 4; 2:", "", 2 + 3 + 2),
    ],
)
def test_cycles(bench: Bench, code: str, setup: str, cycles: int) -> None:
    assert bench.run(code, setup).cycles == cycles
