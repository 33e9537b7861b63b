# SPDX-License-Identifier: Apache-2.0
"""What a result was made with. No path and no name of the machine: results are published."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from unas._process import run
from unas._version import VERSION
from unas.board import Board
from unas.errors import ToolError
from unas.record import Measurement

_PACKAGES = ("numpy", "platformio", "scons", "unicorn", "capstone", "tflite-micro", "scikit-learn")
# From INFO: what is the same for every image of a run.
_DEVICE_KEYS = (
    "runtime",
    "runtime_revision",
    "kernels",
    "compiler",
    "flags",
    "core_clock_hz",
    "clock_source",
    "icache",
    "dcache",
    "flash_wait_states",
    "flash_accelerator",
    "firmware_hash",
)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def source_commit() -> str | None:
    """Commit of the checkout, ``+changes`` if it is not clean; None outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        commit = run(["git", "-C", root, "rev-parse", "HEAD"], timeout_s=10).stdout.strip()
        changes = run(
            ["git", "-C", root, "status", "--porcelain", "--", ".", ":!results"], timeout_s=30
        ).stdout.strip()
    except ToolError:
        return None
    return commit + ("+changes" if changes else "")


def origin(command: Mapping[str, Any]) -> dict[str, Any]:
    """Which unas made it, when, and with which options."""
    return {
        "unas": VERSION,
        "commit": source_commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": dict(command),
    }


def on_board(board: Board, identity: Mapping[str, str], source: str) -> dict[str, Any]:
    """What the numbers were found on.

    Args:
        board: Kind of board.
        identity: Of a latency model, or ``Conditions.identity``: runtime, kernels, provenance …
        source: What was read: a unit, the virtual board's revision, or a file.
    """
    rest = {key: value for key, value in identity.items() if key != "board"}
    return {
        "board": board.id,
        "board_file_sha256": board.file_sha256,
        **rest,
        "source": source,
    }


def host(packages: Iterable[str]) -> dict[str, Any]:
    """The host's Python and system, and the versions of packages; None for those not installed."""
    return {
        "python": platform.python_version(),
        "host": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in packages},
    }


def environment(
    board: Board, measurement: Measurement, command: Mapping[str, Any], source: str
) -> dict[str, Any]:
    """All that a reader needs to judge or repeat a calibration.

    Args:
        board: Kind of board.
        measurement: Any of the run: what the device says of itself is the same in all.
        command: The options that were given.
        source: What was read: a unit, or the virtual board's revision.
    """
    return {
        **origin(command),
        **on_board(board, measurement.conditions.identity, source),
        "device": {key: measurement.info.get(key) for key in _DEVICE_KEYS},
        "golden": measurement.output.golden,
        **host(_PACKAGES),
    }
