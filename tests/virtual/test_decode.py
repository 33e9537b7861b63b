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
from unas.virtual.core.instruction_hooks import instruction_sizes, uses_fpu
from unas.virtual.timing.core_model import describe_block
from unas.virtual.timing.cortex_m4 import CortexM4
from unas.virtual.timing.cortex_m7 import CortexM7
from unas.virtual.timing.decode import Decoder
from unas.virtual.timing.operations import FLAGS, Access, Branch, FunctionalUnit, Operation, Role

Assembler = Callable[[str], bytes]
ALU, EARLY, ADDRESS, FACTOR, ADDEND, DATA = Role


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
    ("text", "unit", "sources", "results"),
    [
        ("add.w r0, r1, r2", FunctionalUnit.MOVE, {(1, ALU), (2, ALU)}, {0}),
        ("adds r0, r1", FunctionalUnit.MOVE, {(0, ALU), (1, ALU)}, {0}),
        ("add.w r0, r1, r2, lsl #3", FunctionalUnit.MOVE, {(1, ALU), (2, EARLY)}, {0}),
        ("movt r0, #5", FunctionalUnit.ALU, {(0, ALU)}, {0}),
        ("adc.w r0, r1, r2", FunctionalUnit.ALU, {(1, ALU), (2, ALU), (FLAGS, ALU)}, {0}),
        ("cmp r0, r1", FunctionalUnit.ALU, {(0, ALU), (1, ALU)}, set()),
        ("lsl.w r0, r1, r2", FunctionalUnit.SHIFT, {(1, ALU), (2, ALU)}, {0}),
        ("sxtb16 r0, r1, ror #8", FunctionalUnit.DSP, {(1, ALU)}, {0}),
        ("sxtab16 r0, r1, r2, ror #8", FunctionalUnit.EXTEND_ADD, {(1, ALU), (2, EARLY)}, {0}),
        ("pkhbt r0, r1, r2, lsl #16", FunctionalUnit.PACK, {(1, ALU), (2, EARLY)}, {0}),
        ("pkhtb r0, r1, r2, asr #16", FunctionalUnit.PACK, {(1, EARLY), (2, EARLY)}, {0}),
        ("ubfx r0, r1, #3, #4", FunctionalUnit.EXTRACT, {(1, EARLY)}, {0}),
        ("bfi r0, r1, #3, #4", FunctionalUnit.INSERT, {(0, ALU), (1, EARLY)}, {0}),
        ("ssat r0, #8, r1, asr #3", FunctionalUnit.DSP, {(1, ALU)}, {0}),
        (
            "smlad r0, r1, r2, r3",
            FunctionalUnit.MULTIPLY,
            {(1, FACTOR), (2, FACTOR), (3, ADDEND)},
            {0},
        ),
        ("smmul r0, r1, r2", FunctionalUnit.MULTIPLY, {(1, FACTOR), (2, FACTOR)}, {0}),
        ("muls r0, r1, r0", FunctionalUnit.MULTIPLY, {(1, FACTOR), (0, FACTOR)}, {0}),
        (
            "smlal r0, r1, r2, r3",
            FunctionalUnit.MULTIPLY,
            {(2, FACTOR), (3, FACTOR), (0, ADDEND), (1, ADDEND)},
            {0, 1},
        ),
        ("smull r0, r1, r2, r3", FunctionalUnit.MULTIPLY, {(2, FACTOR), (3, FACTOR)}, {0, 1}),
        ("ldr r0, [r1, r2, lsl #2]", FunctionalUnit.LOAD, {(1, ADDRESS), (2, ADDRESS)}, {0}),
        ("strb r0, [r1], #1", FunctionalUnit.STORE, {(1, ADDRESS), (0, DATA)}, set()),
        ("ldmia r0!, {r1, r2}", FunctionalUnit.MULTIPLE, {(0, ADDRESS)}, {1, 2}),
        ("push {r4, lr}", FunctionalUnit.MULTIPLE, {(13, ADDRESS)}, set()),
        (
            "vfma.f32 s0, s1, s2",
            FunctionalUnit.FP_FUSED,
            {(33, FACTOR), (34, FACTOR), (32, ADDEND)},
            {32},
        ),
        ("vmov r0, s1", FunctionalUnit.FP_TO_CORE, {(33, EARLY)}, {0}),
        ("vmov s1, r0", FunctionalUnit.FP_FROM_CORE, {(0, ALU)}, {33}),
        ("vldmia r0, {d0}", FunctionalUnit.MULTIPLE, {(0, ADDRESS)}, {32, 33}),
    ],
)
def test_operands_have_their_roles(
    assemble: Assembler,
    text: str,
    unit: FunctionalUnit,
    sources: set[tuple[int, Role]],
    results: set[int],
) -> None:
    (operation,) = Decoder().block(assemble(text))
    assert operation.unit is unit
    assert (set(operation.sources), set(operation.results)) == (sources, results)


@pytest.mark.parametrize(
    ("text", "access"),
    [
        ("ldrsb r0, [r1], #3", Access(True, 1, 1, 1, base_written=True, step=3)),
        ("ldrh r0, [r1, #6]!", Access(True, 2, 1, 1, offset=6, base_written=True, step=6)),
        ("str r0, [r1, r2, lsl #2]", Access(False, 4, 1, 1, 2, 2)),
        ("ldr r0, [pc, #8]", Access(True, 4, 1, None, offset=12)),
        ("strd r2, r3, [r0, #-8]", Access(False, 4, 2, 0, offset=-8)),
        ("push {r4-r7, lr}", Access(False, 4, 5, 13, offset=-20, base_written=True, step=-20)),
        ("pop {r4, pc}", Access(True, 4, 2, 13, base_written=True, step=8)),
        ("stmdb r0!, {r1, r2}", Access(False, 4, 2, 0, offset=-8, base_written=True, step=-8)),
        ("vpush {d8-d9}", Access(False, 4, 4, 13, offset=-16, base_written=True, step=-16)),
        ("tbh [pc, r3, lsl #1]", Access(True, 2, 1, None, 3, 1, 4)),
    ],
)
def test_addresses(assemble: Assembler, text: str, access: Access) -> None:
    (operation,) = Decoder().block(assemble(text))
    assert operation.access == access


@pytest.mark.parametrize(
    ("text", "branch"),
    [
        ("beq .", Branch.CONDITIONAL),
        ("1: nop; cbz r0, 2f; nop; 2:", Branch.CONDITIONAL),
        ("b .", Branch.DIRECT),
        ("bl .", Branch.DIRECT),
        ("bx lr", Branch.RETURN),
        ("pop {r4, pc}", Branch.RETURN),
        ("ldr pc, [sp], #4", Branch.RETURN),
        ("bx r3", Branch.INDIRECT),
        ("mov pc, r3", Branch.INDIRECT),
        ("ldr pc, [r0]", Branch.INDIRECT),
        ("tbb [pc, r0]", Branch.TABLE),
        ("add r0, r1", Branch.NONE),
    ],
)
def test_branches(assemble: Assembler, text: str, branch: Branch) -> None:
    kinds = [operation.branch for operation in Decoder().block(assemble(text))]
    assert branch in kinds
    assert set(kinds) <= {branch, Branch.NONE}


def test_instructions_of_an_it_block_read_the_flags(assemble: Assembler) -> None:
    operations = list(Decoder().block(assemble("ite eq; moveq r0, r1; addne r0, r2; adds r0, r1")))
    assert [operation.skippable for operation in operations] == [False, True, True, False]
    assert [operation.sets_flags for operation in operations] == [False, False, False, True]
    assert (FLAGS, ALU) in operations[1].sources


def test_constants_that_need_the_shifter(assemble: Assembler) -> None:
    text = "eor r0, r1, #0x1fc0; eor r0, r1, #0x1b1b1b1b; addw r0, r1, #0xff9; mov r0, #255"
    assert [o.shifted for o in Decoder().block(assemble(text))] == [True, False, False, False]


def test_fp_instructions_are_recognised(assemble: Assembler) -> None:
    assert uses_fpu(assemble("nop; vadd.f32 s0, s1, s2"))
    assert uses_fpu(assemble("vldr s0, [r0]"))
    assert uses_fpu(assemble("vsel" + "eq.f32 s0, s1, s2"))
    assert uses_fpu(assemble("vmov r0, s0"))
    assert not uses_fpu(assemble("ldrd r0, r1, [r2]; mul r0, r1, r2; smlad r0, r1, r2, r0; b.w ."))


@given(st.binary(max_size=64).map(lambda code: code[: len(code) & ~1]))
def test_any_code_can_be_described(code: bytes) -> None:
    for model in (CortexM4(), CortexM7()):
        block = describe_block(model, tuple(Decoder().block(code)), 0x08000000)
        assert [i.bytes for i in block] == instruction_sizes(code)[: len(block)]
        assert len(block) == len(instruction_sizes(code))


def test_what_is_not_known_is_a_system_instruction() -> None:
    assert list(Decoder().block(b"\xff\xff\xff\xff")) == [Operation(FunctionalUnit.SYSTEM, 4)]


@given(st.lists(st.integers(0, 0xFFFF), max_size=32))
def test_sizes_cover_the_code(halfwords: list[int]) -> None:
    code = b"".join(h.to_bytes(2, "little") for h in halfwords)
    assert sum(instruction_sizes(code)) - len(code) in (0, 2)  # the last may be cut off
