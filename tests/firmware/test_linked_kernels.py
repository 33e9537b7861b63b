# SPDX-License-Identifier: Apache-2.0
"""Which kernels are linked is read from the ELF, not from what was given to the linker."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from unas._process import run
from unas.errors import BuildError, ToolError
from unas.firmware.build import check_cxx
from unas.firmware.sizes import CMSIS_NN_SYMBOLS, linked_functions, linked_kernels

KERNEL = CMSIS_NN_SYMBOLS[0]
FLAGS = ("-mcpu=cortex-m7", "-mthumb", "-O1", "-ffunction-sections", "-nostdlib")
needs_compiler = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)


def _link(folder: Path, body: str, *flags: str) -> Path:
    source, elf = folder / "firmware.c", folder / "firmware.elf"
    source.write_text(
        f"__attribute__((weak)) int {KERNEL}(int);\n"
        f"int begin(int x);\nint begin(int x) {{ {body} }}\n"
    )
    kernel = folder / "kernel.c"
    kernel.write_text(f"int {KERNEL}(int x);\nint {KERNEL}(int x) {{ return x + 1; }}\n")
    sources = [source, kernel] if "-DKERNEL" in flags else [source]
    command = ["arm-none-eabi-gcc", *FLAGS, "-Wl,-e,begin,--gc-sections", *flags]
    run([*command, "-o", elf, *sources], timeout_s=60)
    return elf


@needs_compiler
def test_a_kernel_that_is_called(tmp_path: Path) -> None:
    elf = _link(tmp_path, f"return {KERNEL}(x);", "-DKERNEL")
    assert KERNEL in linked_functions(elf)
    assert linked_kernels(elf) == "cmsis-nn"


@needs_compiler
def test_a_kernel_that_was_given_and_discarded(tmp_path: Path) -> None:
    elf = _link(tmp_path, "return x;", "-DKERNEL")
    assert "begin" in linked_functions(elf)
    assert linked_kernels(elf) == "reference"


@needs_compiler
def test_a_weak_reference_is_no_kernel(tmp_path: Path) -> None:
    elf = _link(tmp_path, f"return {KERNEL} ? {KERNEL}(x) : 0;")
    assert linked_kernels(elf) == "reference"


@needs_compiler
def test_an_elf_without_symbols(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no symbols"):
        linked_kernels(_link(tmp_path, "return x;", "-s"))


def test_what_is_no_elf(tmp_path: Path) -> None:
    (tmp_path / "firmware.elf").write_bytes(b"MZ")
    with pytest.raises(BuildError, match="build the firmware again"):
        linked_kernels(tmp_path / "firmware.elf")


@pytest.mark.parametrize("library", [True, False])
def test_a_compiler_without_the_cxx_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: bool
) -> None:
    answer = "/somewhere/libstdc++.a" if library else "libstdc++.a"
    for name in ("arm-none-eabi-gcc", "arm-none-eabi-g++"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {answer}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    if library:
        check_cxx()
        return
    with pytest.raises(ToolError, match="libstdc\\+\\+-arm-none-eabi-newlib"):
        check_cxx()
