# SPDX-License-Identifier: Apache-2.0
"""Broken models, many: refused with a reason or run, never a wrong step.

``python -m tests.firmware.fuzz`` tries millions.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.firmware.fuzz import STATUSES, VARIANTS, build_fuzzer, fuzz, write_models
from unas.errors import ToolError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="no host C compiler (gcc)"),
]

INPUTS = 150_000


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module", params=VARIANTS)
def fuzzer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_fuzzer(request.param, tmp_path_factory.mktemp("fuzzer"))


def test_no_broken_model_makes_a_wrong_step(fuzzer: Path, models: list[Path]) -> None:
    counts = dict(zip(STATUSES, fuzz(fuzzer, models, 1, 0, INPUTS), strict=True))
    assert sum(counts.values()) == INPUTS
    assert counts.pop("invoke failed") == 0
    # Each way through the code is taken often, or this would prove little.
    assert all(count > INPUTS // 200 for count in counts.values()), counts


def test_an_input_is_the_same_one_whenever_it_is_made(fuzzer: Path, models: list[Path]) -> None:
    whole = fuzz(fuzzer, models, 2, 0, 1000)
    halves = [fuzz(fuzzer, models, 2, first, 500) for first in (0, 500)]
    assert whole == [sum(pair) for pair in zip(*halves, strict=True)]


def test_a_base_that_is_broken_is_told(fuzzer: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"no model")
    with pytest.raises(ToolError, match="not a TensorFlow Lite flatbuffer"):
        fuzz(fuzzer, [bad], 1, 0, 1)
