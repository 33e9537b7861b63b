# SPDX-License-Identifier: Apache-2.0
"""Measurements made elsewhere: read from a CSV file, and calibrated on.

A row is either one kernel (``operator`` and its shape) or one network (``model``, a .tflite file
beside the CSV). ``docs/importing.md`` describes every column.
"""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unas.board import Board
from unas.calibration.csv_rows import SHAPE_COLUMNS, Row, graph_of, read_rows
from unas.cost.model_selection import fit_latency
from unas.cost.operators import ArenaLayout, Call, Kernel, kernels
from unas.cost.types import KernelProfile, Sample
from unas.errors import StoreError, UnasError
from unas.graph import Graph
from unas.record import Provenance
from unas.store.calibration import CalibrationResults
from unas.store.environment import on_board, origin
from unas.tflite.reader import read_flatbuffer

CallsOf = Callable[[Graph], Sequence[Call]]
_MODEL, _OPERATOR, _RESULTS = "model", "operator", ("latency_us", "cycles")
_SAME = ("board", "runtime", "kernels", "provenance", "clock_hz")
COLUMNS = (_OPERATOR, *SHAPE_COLUMNS, _MODEL, *_RESULTS, "operators", "network", "first", *_SAME)
UNKNOWN = "unknown"
# Latency in whole microseconds and cycles of one row: how far rounding may take them apart.
_AGREE = 0.02


@dataclass(frozen=True, slots=True)
class Imported:
    """The content of a CSV file.

    Attributes:
        samples: Kernels and networks; repeated rows are one sample with their mean.
        identity: board, runtime, kernels, provenance, timing.
        clock_hz: Core clock in Hz.
        rows: Number of rows that were read.
        sha256: Of the file.
    """

    samples: tuple[Sample, ...]
    identity: dict[str, str]
    clock_hz: int
    rows: int
    sha256: str


def fast_calls(graph: Graph) -> tuple[Call, ...]:
    """A graph's operators with all memory fast: assumed of runtimes whose planner is not known."""
    return tuple(Call(kernel) for kernel in kernels(graph))


def read_measurements(
    path: Path,
    *,
    board_id: str,
    clock_hz: int,
    runtime: str = UNKNOWN,
    provenance: Provenance = Provenance.MEASURED,
    calls: CallsOf = fast_calls,
) -> Imported:
    """Read a CSV of measurements.

    Args:
        path: The file; models that it names lie beside it.
        board_id: Id of the board; a ``board`` column must agree.
        clock_hz: Core clock of that board in Hz; a ``clock_hz`` column overrides it.
        runtime: What ran the models, where no ``runtime`` column says it.
        provenance: Provenance of all rows; rows that state none have it.
        calls: Gives a graph's operators their placement in the arena.

    Raises:
        StoreError: A column is unknown, a cell is wrong, or rows do not belong together; names
            line and column.
    """
    rows = read_rows(path, COLUMNS)
    identity = _identity(rows, board_id, runtime, provenance)
    clock = int(_common(rows, "clock_hz", str(clock_hz)))
    if clock < 1:
        raise rows[0].wrong("clock_hz", "give cycles in a second")
    groups: dict[tuple[str, object], list[_Reading]] = {}
    for row in rows:
        reading = _reading(row, path.parent, clock, calls)
        groups.setdefault((reading.name, reading.calls), []).append(reading)
    return Imported(
        samples=tuple(_mean(group) for group in groups.values()),
        identity=identity,
        clock_hz=clock,
        rows=len(rows),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """The content of one row."""

    where: str
    name: str
    calls: tuple[Call, ...]
    cycles: float
    operators: tuple[float, ...]
    is_network: bool


def _reading(row: Row, folder: Path, clock_hz: int, calls: CallsOf) -> _Reading:
    if (_MODEL in row.cells) == (_OPERATOR in row.cells):
        raise StoreError(
            f"{row.where} names {'a model and an' if _MODEL in row.cells else 'no model and no'} "
            "operator; fill in one of the columns 'model' and 'operator'"
        )
    cycles_each = _cycles_each(row, clock_hz)
    if _OPERATOR in row.cells:
        if "operators" in row.cells:
            raise row.wrong("operators", "leave it empty where the row is one operator")
        call = calls(graph_of(row))[0]
        call = Call(_marked(call.kernel, row.flag("first")), call.placement)
        name = row.text("network", call.kernel.signature)
        cycles = _positive(row, cycles_each)
        return _Reading(row.where, name, (call,), cycles, (cycles,), is_network=False)
    strange = [name for name in (*SHAPE_COLUMNS, "first") if name in row.cells]
    if strange:
        raise row.wrong(strange[0], "leave it empty where the row is a whole network")
    content, graph = _model(row, folder)
    named = tuple(calls(graph))
    operators = _operators(row, cycles_each, len(named))
    name = row.text("network", hashlib.sha256(content).hexdigest()[:12])
    return _Reading(row.where, name, named, _positive(row, cycles_each), operators, is_network=True)


def _marked(kernel: Kernel, first: bool) -> Kernel:
    """The kernel, first in its network or not: the graph of a single one cannot tell."""
    return replace(kernel, first=first)


def _cycles_each(row: Row, clock_hz: int) -> tuple[str, float]:
    """The column with the latency, and the cycles in one of its units."""
    given = [name for name in _RESULTS if name in row.cells]
    if not given:
        raise StoreError(f"{row.where} has neither latency_us nor cycles; fill in one of them")
    per_us = clock_hz / 1e6
    if len(given) == 2:
        ratio = row.number("latency_us") * per_us / max(row.number("cycles"), 1e-9)
        if abs(ratio - 1) > _AGREE:
            raise row.wrong(
                "cycles",
                f"at {clock_hz} Hz that is {1 / ratio:.3f} times its latency_us; correct one, "
                "or the column clock_hz",
            )
    return ("cycles", 1.0) if "cycles" in given else ("latency_us", per_us)


def _positive(row: Row, cycles_each: tuple[str, float]) -> float:
    column, factor = cycles_each
    value = row.number(column)
    if value == 0:
        raise row.wrong(column, "a measurement is above zero; leave failed ones out")
    return value * factor


def _operators(row: Row, cycles_each: tuple[str, float], count: int) -> tuple[float, ...]:
    """Cycles of a network's operators; empty where the row has none."""
    if "operators" not in row.cells:
        return ()
    try:
        values = [float(part) for part in row.cells["operators"].split(";")]
    except ValueError as error:
        raise row.wrong("operators", "give numbers with ; between them") from error
    if len(values) != count or not all(0 <= value < float("inf") for value in values):
        raise row.wrong(
            "operators", f"the model has {count} operators: give as many numbers, none below zero"
        )
    return tuple(value * cycles_each[1] for value in values)


def _model(row: Row, folder: Path) -> tuple[bytes, Graph]:
    path = folder / row.cells[_MODEL]
    if not path.resolve().is_relative_to(folder.resolve()):
        raise row.wrong(_MODEL, "put the model beside the CSV file or in a folder there")
    try:
        content = path.read_bytes()
        return content, read_flatbuffer(content, row.cells[_MODEL])
    except OSError as error:
        raise row.wrong(_MODEL, f"cannot be read: {error.strerror}; put it there") from error
    except UnasError as error:
        raise row.wrong(_MODEL, str(error)) from error


def _identity(
    rows: Sequence[Row], board_id: str, runtime: str, provenance: Provenance
) -> dict[str, str]:
    board = _common(rows, "board", board_id)
    if board != board_id:
        raise rows[0].wrong("board", f"these are measurements of it, but --board is {board_id!r}")
    stated = _common(rows, "provenance", str(provenance))
    if stated != provenance:
        raise rows[0].wrong(
            "provenance",
            f"only {provenance} values belong here; numbers of different provenance never mix",
        )
    return {
        "board": board_id,
        "runtime": _common(rows, "runtime", runtime),
        "kernels": _common(rows, "kernels", UNKNOWN),
        "provenance": str(provenance),
        "timing": "device" if provenance is Provenance.MEASURED else UNKNOWN,
    }


def _common(rows: Sequence[Row], column: str, default: str) -> str:
    """The one value of a column; rows that leave it empty follow the others.

    Raises:
        StoreError: There are several.
    """
    stated = {row.cells[column]: row for row in rows if column in row.cells}
    if len(stated) > 1:
        values = sorted(stated)
        raise stated[values[1]].wrong(
            column, f"other rows say {values[0]!r}; import each from a file of its own"
        )
    if column == "clock_hz" and stated:
        return str(next(iter(stated.values())).whole(column))
    return next(iter(stated), default)


def _mean(group: Sequence[_Reading]) -> Sample:
    first = group[0]
    detailed = [reading.operators for reading in group if reading.operators]
    return Sample(
        name=first.name,
        calls=first.calls,
        cycles=statistics.fmean(reading.cycles for reading in group),
        operator_cycles=tuple(map(statistics.fmean, zip(*detailed, strict=True))),
        is_network=first.is_network,
    )


def findings_of_csv(path: Path, board: Board, seed: int) -> CalibrationResults:
    """Fit latency models on a CSV; see ``docs/importing.md``. Memory is not in it.

    Args:
        path: The file.
        board: Kind of board; names the results and gives clock and caches.
        seed: Of folds.

    Raises:
        StoreError: The file is wrong, or holds too little to fit.
    """
    imported = read_measurements(path, board_id=board.id, clock_hz=board.core_clock_hz)
    kernels = imported.identity["kernels"]
    profile = KernelProfile(kernels, board.cpu.dcache_bytes, board.cpu.cache_line_bytes)
    fitted = fit_latency(
        imported.samples,
        profile,
        ArenaLayout(kernels, None),
        float(imported.clock_hz),
        imported.identity,
        seed=seed,
    )
    return CalibrationResults(
        rows=[_row(sample, imported) for sample in imported.samples],
        samples=imported.samples,
        fitted=fitted,
        environment=_environment(imported, path, board, seed),
    )


def _row(sample: Sample, imported: Imported) -> dict[str, object]:
    return {
        "network": sample.name,
        "is_network": sample.is_network,
        "provenance": imported.identity["provenance"],
        "timing": imported.identity["timing"],
        "board_id": imported.identity["board"],
        "runtime": imported.identity["runtime"],
        "kernels": imported.identity["kernels"],
        "paper_macs": sample.paper_macs,
        "latency_us": sample.cycles * 1e6 / imported.clock_hz,
        "median_cycles": sample.cycles,
    }


def _environment(imported: Imported, path: Path, board: Board, seed: int) -> dict[str, Any]:
    return {
        **origin({"from": path.name, "seed": seed}),
        **on_board(board, imported.identity, f"{path.name}: {imported.rows} rows"),
        "source_sha256": imported.sha256,
        "device": {
            "runtime": imported.identity["runtime"],
            "kernels": imported.identity["kernels"],
        },
    }
