# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from tests.virtual.probe_board import BOARD
from unas._process import run
from unas.virtual.cycles import PairingModel
from unas.virtual.thumb import instruction_sizes, uses_fpu

Assembler = Callable[[str], bytes]


@pytest.fixture
def assemble(tmp_path: Path) -> Assembler:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")

    def assemble(text: str) -> bytes:
        source, thing = tmp_path / "code.s", tmp_path / "code.o"
        source.write_text(".syntax unified\n.thumb\n" + text.replace(";", "\n") + "\n")
        run(["arm-none-eabi-gcc", *BOARD.cpu_flags, "-c", source, "-o", thing], timeout_s=30)
        with thing.open("rb") as file:
            data: bytes = ELFFile(file).get_section_by_name(".text").data()
        return data

    return assemble


@pytest.mark.parametrize(
    ("text", "instructions", "cycles"),
    [
        ("nop", 1, 1),
        ("adds r0, r1; adds r2, r3", 2, 1),  # independent: one cycle
        ("adds r0, r1; adds r0, r0, r2", 2, 2),  # the second needs the first
        ("adds r0, r1; adds r2, r3; adds r4, r5", 3, 2),
        ("ldr r0, [r1]; ldr r2, [r3]", 2, 2),  # one memory access a cycle
        ("ldr r0, [r1]; str r2, [r3]", 2, 2),
        ("ldr r0, [r1]; adds r2, r3", 2, 1),
        ("ldr r0, [r1]; adds r2, r0", 2, 3),  # load-use
        ("mul r0, r1, r2; mul r3, r4, r5", 2, 2),
        ("mul r0, r1, r2; adds r3, r4", 2, 1),
        ("smlad r0, r1, r2, r0; smlad r0, r3, r4, r0", 2, 2),  # the accumulator is forwarded
        ("push {r0-r7}", 1, 4),  # two words a cycle
        ("ldrd r0, r1, [r2]; nop", 2, 2),
        ("ldm r0, {r1-r5}", 1, 3),
        ("vpush {d8-d9}", 1, 2),
        ("vadd.f32 s0, s1, s2; vmul.f32 s3, s4, s5", 2, 2),
        ("vadd.f32 s0, s1, s2; adds r0, r1", 2, 1),
        ("1: subs r0, #1; bne 1b", 2, 1),  # the measured loop of rust-embedded/cortex-m #430
        ("it ne; addne r0, r1", 2, 2),
    ],
)
def test_pairing(assemble: Assembler, text: str, instructions: int, cycles: int) -> None:
    cost = PairingModel().block(0, assemble(text))
    assert (cost.instructions, cost.cycles) == (instructions, cycles)


@pytest.mark.parametrize("slow", ["udiv r0, r1, r2", "vdiv.f32 s0, s1, s2", "vsqrt.f32 s0, s1"])
def test_iterative_operations_issue_alone_and_take_long(assemble: Assembler, slow: str) -> None:
    alone = PairingModel().block(0, assemble(slow)).cycles
    assert alone > 4
    assert PairingModel().block(0, assemble(f"{slow}; nop")).cycles == alone + 1


def test_fp_instructions_are_recognised(assemble: Assembler) -> None:
    assert uses_fpu(assemble("nop; vadd.f32 s0, s1, s2"))
    assert uses_fpu(assemble("vldr s0, [r0]"))
    assert uses_fpu(assemble("vsel" + "eq.f32 s0, s1, s2"))
    assert uses_fpu(assemble("vmov r0, s0"))
    assert not uses_fpu(assemble("ldrd r0, r1, [r2]; mul r0, r1, r2; smlad r0, r1, r2, r0; b.w ."))


@given(st.binary(max_size=64).map(lambda code: code[: len(code) & ~1]))
def test_any_code_has_a_price(code: bytes) -> None:
    cost = PairingModel().block(0x08000000, code)
    assert cost == PairingModel().block(0x08000000, code)
    assert cost.instructions == len(instruction_sizes(code))
    assert cost.cycles * 2 >= cost.instructions  # two a cycle at most


@given(st.lists(st.integers(0, 0xFFFF), max_size=32))
def test_sizes_cover_the_code(halfwords: list[int]) -> None:
    code = b"".join(h.to_bytes(2, "little") for h in halfwords)
    assert sum(instruction_sizes(code)) - len(code) in (0, 2)  # the last may be cut off
