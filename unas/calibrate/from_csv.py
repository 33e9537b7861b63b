# SPDX-License-Identifier: Apache-2.0
"""A calibration from measurements that were made elsewhere."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import unas
from unas.board import Board
from unas.calibrate.imported import Imported, read_measurements
from unas.latency.choose import fit_latency
from unas.latency.placing import ArenaLayout
from unas.latency.sample import Sample
from unas.latency.traits import Traits
from unas.store.calibration import Findings
from unas.store.environment import source_commit


def findings_of_csv(path: Path, board: Board, seed: int) -> Findings:
    """Fit latency models on a CSV; see ``docs/importing.md``. Memory is not in it.

    Args:
        path: The file.
        board: Kind of board; names the results and gives clock and caches.
        seed: Of folds.

    Raises:
        StoreError: The file is wrong, or holds too little to fit.
    """
    found = read_measurements(path, board_id=board.id, clock_hz=board.core_clock_hz)
    kernels = found.identity["kernels"]
    traits = Traits(kernels, board.cpu.dcache_bytes, board.cpu.cache_line_bytes)
    fitted = fit_latency(
        found.samples,
        traits,
        ArenaLayout(kernels, None),
        float(found.clock_hz),
        found.identity,
        seed=seed,
    )
    return Findings(
        rows=[_row(sample, found) for sample in found.samples],
        samples=found.samples,
        fitted=fitted,
        environment=_environment(found, path, board, seed),
    )


def _row(sample: Sample, found: Imported) -> dict[str, object]:
    return {
        "network": sample.name,
        "is_network": sample.is_network,
        "provenance": found.identity["provenance"],
        "timing": found.identity["timing"],
        "board_id": found.identity["board"],
        "runtime": found.identity["runtime"],
        "kernels": found.identity["kernels"],
        "paper_macs": sample.paper_macs,
        "latency_us": sample.cycles * 1e6 / found.clock_hz,
        "median_cycles": sample.cycles,
    }


def _environment(found: Imported, path: Path, board: Board, seed: int) -> dict[str, Any]:
    return {
        "unas": unas.__version__,
        "commit": source_commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": {"from": path.name, "seed": seed},
        "board": board.id,
        "board_file_sha256": board.file_sha256,
        "runtime": found.identity["runtime"],
        "kernels": found.identity["kernels"],
        "provenance": found.identity["provenance"],
        "timing": found.identity["timing"],
        "source": f"{path.name}: {found.rows} rows",
        "source_sha256": found.sha256,
        "device": {"runtime": found.identity["runtime"], "kernels": found.identity["kernels"]},
    }
