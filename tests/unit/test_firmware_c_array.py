# SPDX-License-Identifier: Apache-2.0
"""The C text holds the bytes, as a compiler reads it."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from unas._process import run
from unas.tflite.model_file import c_initialiser

EVERY_BYTE = bytes(range(256)) + b"0123456789" + bytes(range(255, -1, -1))


@pytest.mark.parametrize("data", [b"", b"\0", b"TFL3", b"\x017", EVERY_BYTE])
def test_octal_escapes_give_the_bytes(data: bytes) -> None:
    # Python's and C's octal escapes in byte strings mean the same.
    lines = c_initialiser(data).splitlines()
    assert b"".join(ast.literal_eval("b" + line) for line in lines) == data


def test_a_compiler_gives_the_bytes(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(1000) + EVERY_BYTE
    source, program = tmp_path / "model.c", tmp_path / "model"
    source.write_text(
        "#include <stdio.h>\n"
        f"static const unsigned char model[{len(data)} + 1] =\n{c_initialiser(data)};\n"
        "int main(void) {\n"
        '  for (unsigned i = 0; i + 1 < sizeof model; i++) printf("%02x", model[i]);\n'
        "}\n"
    )
    flags = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-o", program)
    run(["gcc", *flags, source], timeout_s=60)
    assert bytes.fromhex(run([program], timeout_s=60).stdout) == data
