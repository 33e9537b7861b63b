# SPDX-License-Identifier: Apache-2.0
"""rt_dsp.h in C against the processor's own instructions, on the emulated core."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import unicorn
import unicorn.arm_const as registers
from elftools.elf.elffile import ELFFile

from unas._paths import templates_dir
from unas._process import run
from unas.board import Board

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None or shutil.which("cc") is None,
    reason="needs arm-none-eabi-gcc and a host C compiler (cc)",
)

# Name and number of operands; all are 32-bit words, whatever C calls them.
INSTRUCTIONS = {
    "smlad": 3, "smlabb": 3, "smlatt": 3, "smlabt": 3, "smlatb": 3, "smmulr": 2, "smmul": 2,
    "smmlar": 3, "qadd": 2, "sxtb16": 1, "sxtb16_ror8": 1, "sxtab16": 2, "sxtab16_ror8": 2,
    "pkhbt16": 2, "pkhtb16": 2, "ssat8": 1, "max_bytes": 2, "min_bytes": 2,
}  # fmt: skip
CASES = 300
CODE, RETURN = 0x10000, 0x80000
EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7F807F80)
OPERANDS = (registers.UC_ARM_REG_R0, registers.UC_ARM_REG_R1, registers.UC_ARM_REG_R2)


def _source() -> str:
    lines = [f'#include "{templates_dir().as_posix()}/runtime/rt_dsp.h"']
    for name, count in INSTRUCTIONS.items():
        names = "abc"[:count]
        operands = ", ".join(f"uint32_t {n}" for n in names)
        # Conversions between int32_t and uint32_t keep the bits.
        body = f"return (uint32_t)dsp_{name}({', '.join(names)});"
        lines.append(f"uint32_t test_{name}({operands});")
        lines.append(f"uint32_t test_{name}({operands}) {{ {body} }}")
    lines.append("uint32_t test_load(const uint32_t *at, uint32_t *to);")
    lines.append(
        "uint32_t test_load(const uint32_t *at, uint32_t *to) {\n"
        "  const uint32_t *const start = at;\n"
        "  const dsp_words two = dsp_load_2(&at), four = dsp_load_4(&at);\n"
        "  to[0] = two.a; to[1] = two.b; to[2] = four.a;\n"
        "  to[3] = four.b; to[4] = four.c; to[5] = four.d;\n"
        "  return (uint32_t)(at - start);\n"
        "}"
    )
    return "\n".join(lines)


class _Core:
    """Runs functions of an ELF on the emulated core."""

    def __init__(self, elf: Path) -> None:
        self._engine = unicorn.Uc(
            unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS
        )
        self._engine.ctl_set_cpu_model(registers.UC_CPU_ARM_CORTEX_M7)
        self._engine.mem_map(0, 0x100000)
        with elf.open("rb") as file:
            image = ELFFile(file)
            for segment in image.iter_segments("PT_LOAD"):
                self._engine.mem_write(segment["p_vaddr"], segment.data())
            symbols = image.get_section_by_name(".symtab").iter_symbols()
            self._places = {symbol.name: symbol["st_value"] for symbol in symbols}

    def call(self, name: str, *operands: int) -> int:
        for register, value in zip(OPERANDS, operands, strict=False):
            self._engine.reg_write(register, value)
        self._engine.reg_write(registers.UC_ARM_REG_SP, RETURN - 0x100)
        self._engine.reg_write(registers.UC_ARM_REG_LR, RETURN | 1)
        self._engine.emu_start(self._places[name] | 1, RETURN)
        return int(self._engine.reg_read(registers.UC_ARM_REG_R0))

    def write(self, address: int, words: list[int]) -> None:
        self._engine.mem_write(address, np.array(words, "<u4").tobytes())

    def read(self, address: int, count: int) -> list[int]:
        return [int(w) for w in np.frombuffer(self._engine.mem_read(address, 4 * count), "<u4")]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dsp") / "instructions.c"
    path.write_text(_source())
    return path


@pytest.fixture(scope="module")
def core(source: Path, f746: Board) -> _Core:
    elf = source.with_suffix(".elf")
    flags = ("-std=c11", "-O2", "-nostdlib", f"-Wl,-Ttext={CODE:#x},-e,test_load")
    run(["arm-none-eabi-gcc", *f746.cpu_flags, *flags, "-o", elf, source], timeout_s=60)
    return _Core(elf)


@pytest.fixture(scope="module")
def emulation(source: Path) -> Callable[..., int]:
    library = source.with_suffix(".so")
    flags = ("-std=c11", "-O2", "-shared", "-fPIC", "-DRT_DSP_EMULATION")
    run(["cc", *flags, "-o", library, source], timeout_s=60)
    loaded = ctypes.CDLL(str(library))

    def call(name: str, *operands: int) -> int:
        function = loaded[name]
        function.restype = ctypes.c_uint32
        return int(function(*(ctypes.c_uint32(value) for value in operands)))

    return call


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_the_emulation_is_the_instruction(
    name: str, core: _Core, emulation: Callable[..., int]
) -> None:
    rng = np.random.default_rng(list(INSTRUCTIONS).index(name))
    count = INSTRUCTIONS[name]
    for _ in range(CASES):
        drawn = [int(w) for w in rng.integers(1 << 32, size=count)]
        edges = [EDGES[i] for i in rng.integers(len(EDGES), size=count)]
        operands = [e if rng.integers(2) else d for d, e in zip(drawn, edges, strict=True)]
        expected = core.call(f"test_{name}", *operands)
        assert emulation(f"test_{name}", *operands) == expected, [hex(o) for o in operands]


def test_words_are_loaded_in_order_and_the_pointer_moves_behind_them(core: _Core) -> None:
    words = [0x11111111 * (i + 1) for i in range(6)]
    core.write(0x2000, words)
    assert core.call("test_load", 0x2000, 0x3000) == len(words)
    assert core.read(0x3000, len(words)) == words
