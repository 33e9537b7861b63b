# SPDX-License-Identifier: Apache-2.0
"""Fixtures for all tests: a cache of their own, boards, images that are built once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import hypothesis
import pytest

from unas.board import Board, load_board

# The same cases every time, and no deadline: a busy machine must not turn a test red. A hunt for
# new cases: pytest --hypothesis-profile=hunt
hypothesis.settings.register_profile("unas", derandomize=True, deadline=None)
hypothesis.settings.register_profile("hunt", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("unas")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes the user's caches; xdist's workers share one."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    os.environ["UNAS_CACHE"] = str(shared / "cache")
    os.environ["PLATFORMIO_CORE_DIR"] = str(shared / "platformio")


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """A shell's background job ignores SIGINT, and programs that tests start would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def f746() -> Board:
    return load_board("f746")


@pytest.fixture(scope="session")
def mlperf_tiny() -> Path:
    """Models that are at hand where this project is developed; nothing else depends on them."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data" / "mlperf-tiny"
    if not folder.is_dir():
        pytest.skip("the MLPerf Tiny models are not in ../shared/data/mlperf-tiny")
    return folder
