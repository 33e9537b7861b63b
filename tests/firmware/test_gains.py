# SPDX-License-Identifier: Apache-2.0
"""Sums to outputs in seven instructions, against the rounding that TensorFlow Lite Micro does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from unas._paths import templates_dir
from unas._process import run

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no host C compiler (gcc)")

FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined")
CASES = 10_000_000


def test_a_gain_gives_what_its_factor_gives(tmp_path: Path) -> None:
    runtime = templates_dir() / "runtime"
    program = tmp_path / "gain_check"
    sources = (Path(__file__).parent / "gain_check.c", runtime / "rt_gain.c")
    flags = (*FLAGS, "-fno-sanitize-recover=all", "-DRT_DSP_EMULATION", f"-I{runtime}")
    run(["gcc", *flags, "-o", program, *sources], timeout_s=120)
    assert run([program, str(CASES)], timeout_s=240).stdout == ""
