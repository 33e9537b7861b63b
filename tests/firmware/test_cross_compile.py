# SPDX-License-Identifier: Apache-2.0
"""The runtime as the device's compiler sees it: no warning, no allocation, nothing from outside."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from unas._paths import templates_dir
from unas._process import run
from unas.board import Board
from unas.host.library import runtime_sources

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no arm-none-eabi-gcc"),
]

WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wundef", "-Wdouble-promotion")
# What the compiler itself calls: memory functions, 64-bit and double precision arithmetic.
FROM_OUTSIDE = re.compile(r"memcpy|memset|memcmp|__aeabi_\w+")


def _compile(board: Board, folder: Path, *flags: str) -> list[Path]:
    include = templates_dir() / "include"
    command = ["arm-none-eabi-gcc", *board.cpu_flags, "-std=c11", "-DNDEBUG", *WARNINGS, *flags]
    run([*command, f"-I{include}", "-c", *runtime_sources()], timeout_s=120, cwd=folder)
    return sorted(folder.glob("*.o"))


@pytest.mark.parametrize(
    "flags", [("-O2",), ("-Os",), ("-O0",), ("-O2", "-DRT_PLAIN_KERNELS")], ids=" ".join
)
def test_it_compiles_without_a_warning(flags: tuple[str, ...], f746: Board, tmp_path: Path) -> None:
    assert len(_compile(f746, tmp_path, *flags)) == len(runtime_sources())


def test_it_needs_nothing_but_the_compiler_and_is_small(f746: Board, tmp_path: Path) -> None:
    objects = _compile(f746, tmp_path, "-O2")
    needed, defined = set[str](), set[str]()
    for line in run(["arm-none-eabi-nm", *objects], timeout_s=60).stdout.splitlines():
        match = re.fullmatch(r"[0-9a-f ]{8} (\w) (\S+)", line)
        if match is not None:
            (needed if match[1] == "U" else defined).add(match[2])
    assert {name for name in needed - defined if not FROM_OUTSIDE.fullmatch(name)} == set()
    sizes = [
        line.split()
        for line in run(["arm-none-eabi-size", *objects], timeout_s=60).stdout.splitlines()
    ]
    data, bss = (sum(int(row[column]) for row in sizes[1:]) for column in (1, 2))
    assert data == 0
    assert bss < 256  # what grows with the model lives in the arena
