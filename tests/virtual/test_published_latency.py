# SPDX-License-Identifier: Apache-2.0
"""Published MLPerf Tiny results, from the firmware that gave them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from unas._process import run

_SCRIPT = Path(__file__).parents[2] / "benchmarks" / "published_latency.py"
_VARIABLE = "UNAS_MLPERF"
_WITHIN_PERCENT = 10  # of the published milliseconds
# One of each board, runtime and bottleneck; the script without --only tries them all.
_ROWS = (
    "v1.2 bosch disco_f746ng kws",
    "v1.2 bosch disco_f746ng ad",
    "v1.1 bosch disco_f746ng kws",
    "v1.2 bosch nucleo_l4r5zi kws",
    "v1.2 bosch nucleo_l4r5zi ad",
    "v1.2 st nucleo_l4r5zi kws",
)


@pytest.mark.skipif(
    _VARIABLE not in os.environ,
    reason=f"{_VARIABLE} does not name a folder with MLPerf Tiny's firmware images",
)
@pytest.mark.parametrize("row", _ROWS)
def test_the_firmwares_own_timer_shows_the_published_time(row: str) -> None:
    limit = str(_WITHIN_PERCENT)
    table = run([sys.executable, _SCRIPT, "--only", row, "--within", limit], timeout_s=120.0)
    assert row in table.stdout
