# SPDX-License-Identifier: Apache-2.0
"""The golden output says what computed it, and stands in where the wheel does not exist."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.random_graphs import draw_operator
from unas.errors import ModelError, ToolError
from unas.graph import OperatorKind
from unas.host import library, reference
from unas.host.reference import reference_output
from unas.tflite.writer import write_flatbuffer

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no host C compiler (cc)")


@pytest.fixture
def conv() -> tuple[bytes, bytes]:
    rng = np.random.default_rng(5)
    graph = draw_operator(OperatorKind.CONV_2D, rng)
    model = write_flatbuffer(graph, seed=5, name="conv").data
    return model, rng.bytes(graph.tensors[graph.inputs[0]].elements)


@pytest.fixture
def without_wheel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Python's own way to say that a module cannot be imported: None in its place."""
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    reference._tflite_micro.cache_clear()
    yield
    reference._tflite_micro.cache_clear()


@needs_compiler
def test_without_the_wheel_the_plain_kernels_stand_in(
    conv: tuple[bytes, bytes], without_wheel: None
) -> None:
    stand_in = reference_output(*conv)
    assert stand_in.source == "host build of the plain kernels"
    assert len(stand_in.output) > 0


def test_without_wheel_and_compiler_it_says_what_to_install(
    conv: tuple[bytes, bytes],
    without_wheel: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    library.host_library.cache_clear()
    with pytest.raises(ToolError, match="install gcc or clang"):
        reference_output(*conv)


@needs_compiler
def test_the_stand_in_agrees_with_the_wheel(
    conv: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tflite_micro", reason="the wheel is for Linux on x86-64 only")
    wheel = reference_output(*conv)
    assert wheel.source.startswith("tflite-micro 0.")
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    reference._tflite_micro.cache_clear()
    assert reference_output(*conv).output == wheel.output
    reference._tflite_micro.cache_clear()


def test_an_input_of_another_size_is_refused(conv: tuple[bytes, bytes]) -> None:
    with pytest.raises(ModelError, match="were given"):
        reference_output(conv[0], conv[1] + b"\0")
