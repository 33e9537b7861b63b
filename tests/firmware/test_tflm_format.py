# SPDX-License-Identifier: Apache-2.0
"""The adapter's printf, on this machine: it needs none of the library's headers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from unas._paths import templates_dir
from unas._process import run

EXPECTED = """\
5 plain
14 one and (null)
25 -2147483648 42 4294967295
6 beef%z
8 ? then 7
3 ? 7
8 ends in\x20
5 too l
0\x20
7 abcdefg
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
def test_it_formats_and_never_writes_beyond(tmp_path: Path) -> None:
    room = templates_dir() / "runtime_tflm"
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wno-format"]
    flags += ["-fno-exceptions", "-fno-rtti", "-fsanitize=address,undefined", f"-I{room}"]
    sources = [room / "format.cc", Path(__file__).with_name("format_text.cc")]
    run(["g++", *flags, "-o", tmp_path / "show", *sources], timeout_s=120)
    assert run([tmp_path / "show"], timeout_s=20).stdout == EXPECTED
