# SPDX-License-Identifier: Apache-2.0
"""``results/calibration/<board>[-<runtime>]/``: what a calibration found, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from unas.errors import StoreError
from unas.latency.fit import Fit
from unas.record import Measurement

RESULTS = Path("results")
DEFAULT_RUNTIME = "builtin"
_TABLE, _RECORDS, _FIT, _ENVIRONMENT = (
    "measurements.csv",
    "measurements.jsonl",
    "fit.json",
    "environment.json",
)
_NEEDED = {
    "provenance",
    "timing",
    "paper_macs",
    "latency_us",
    "arena_used_bytes",
    "peak_memory_bytes",
}


@dataclass(frozen=True, slots=True)
class Calibration:
    """A stored calibration.

    Attributes:
        table: One row per network; see ``measurements.csv``.
        latency: Fit of the latency.
        arena: Fit of the tensor arena.
        environment: Versions, compiler, board file, command.
    """

    table: pd.DataFrame
    latency: Fit
    arena: Fit
    environment: Mapping[str, Any]


def calibration_folder(
    board_id: str, results: Path = RESULTS, runtime: str = DEFAULT_RUNTIME
) -> Path:
    """Where the calibration of a board and a runtime is kept; the built-in one needs no name."""
    name = board_id if runtime == DEFAULT_RUNTIME else f"{board_id}-{runtime}"
    return results / "calibration" / name


def write_calibration(
    folder: Path,
    rows: Sequence[Mapping[str, object]],
    measurements: Iterable[Measurement],
    fits: tuple[Fit, Fit],
    environment: Mapping[str, Any],
) -> None:
    """Write all files of a calibration into a folder.

    Raises:
        StoreError: The measurements come from several boards, runtimes or cycle models.
    """
    measurements = list(measurements)
    if len({(m.board_id, m.timing, m.runtime, m.kernels) for m in measurements}) > 1:
        raise StoreError("a calibration holds one board, runtime and timing; calibrate again")
    pd.DataFrame(rows).to_csv(folder / _TABLE, index=False)
    lines = (json.dumps(m.to_json_dict(), sort_keys=True) + "\n" for m in measurements)
    (folder / _RECORDS).write_text("".join(lines))
    latency, arena = fits
    content = {"latency": latency.to_json_dict(), "arena": arena.to_json_dict()}
    (folder / _FIT).write_text(json.dumps(content, indent=2) + "\n")
    (folder / _ENVIRONMENT).write_text(json.dumps(environment, indent=2) + "\n")


def read_calibration(folder: Path) -> Calibration:
    """Read what ``write_calibration`` wrote.

    Raises:
        StoreError: It is not there, or not readable.
    """
    try:
        table = pd.read_csv(folder / _TABLE)
        fits = json.loads((folder / _FIT).read_text())
        environment = json.loads((folder / _ENVIRONMENT).read_text())
    except FileNotFoundError as error:
        raise StoreError(
            f"no calibration in {folder}; make one with: unas-hil calibrate --board {folder.name}"
        ) from error
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {folder}: {error}; calibrate again") from error
    missing = _NEEDED - set(table.columns)
    if missing or not {"latency", "arena"} <= set(fits):
        raise StoreError(f"{folder} lacks {sorted(missing) or 'its fits'}; calibrate again")
    return Calibration(
        table, Fit.from_json_dict(fits["latency"]), Fit.from_json_dict(fits["arena"]), environment
    )
