"""The native engine is built: without it a board would fall back to a lesser timing."""

from __future__ import annotations

import shutil

import pytest

from unas.virtual.native.library import build_library

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no host C compiler (cc)")


@needs_compiler
def test_it_compiles_without_a_warning() -> None:
    assert build_library().is_file()
