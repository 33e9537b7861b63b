# SPDX-License-Identifier: Apache-2.0
"""Measurements made elsewhere, read from a CSV file: what latency models learn from.

A row is either one kernel (``operator`` and its shape) or one network (``model``, a .tflite file
beside the CSV). ``docs/importing.md`` describes every column.

A calibration from measurements that were made elsewhere.
"""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unas.board import Board
from unas.calibrate.csv_rows import SHAPE_COLUMNS, Row, graph_of, read_rows
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
_MODEL, _OPERATOR, _FOUND = "model", "operator", ("latency_us", "cycles")
_SAME = ("board", "runtime", "kernels", "provenance", "clock_hz")
COLUMNS = (_OPERATOR, *SHAPE_COLUMNS, _MODEL, *_FOUND, "operators", "network", "first", *_SAME)
UNKNOWN = "unknown"
# Latency in whole microseconds and cycles of one row: how far rounding may take them apart.
_AGREE = 0.02


@dataclass(frozen=True, slots=True)
class Imported:
    """What a CSV file holds.

    Attributes:
        samples: Kernels and networks; repeated rows are one sample with their mean.
        identity: board, runtime, kernels, provenance, timing: what they were found on.
        clock_hz: Of the core.
        rows: How many rows were read.
        sha256: Of the file.
    """

    samples: tuple[Sample, ...]
    identity: dict[str, str]
    clock_hz: int
    rows: int
    sha256: str


def near_calls(graph: Graph) -> tuple[Call, ...]:
    """All operators in the fastest memory: what is assumed of runtimes we do not know."""
    return tuple(Call(kernel) for kernel in kernels(graph))


def read_measurements(
    path: Path,
    *,
    board_id: str,
    clock_hz: int,
    runtime: str = UNKNOWN,
    provenance: Provenance = Provenance.MEASURED,
    calls: CallsOf = near_calls,
) -> Imported:
    """Read a CSV of measurements.

    Args:
        path: The file; models that it names lie beside it.
        board_id: What ``--board`` says; a ``board`` column must agree.
        clock_hz: Of that board; a ``clock_hz`` column overrides it.
        runtime: What ran the models, where no ``runtime`` column says it.
        provenance: What all rows must be; rows that do not say are taken to be it.
        calls: A graph's operators in their places in the arena.

    Raises:
        StoreError: A column is unknown, a cell is wrong, or rows do not belong together; names
            line and column.
    """
    rows = read_rows(path, COLUMNS)
    identity = _identity(rows, board_id, runtime, provenance)
    clock = int(_common(rows, "clock_hz", str(clock_hz)))
    if clock < 1:
        raise rows[0].wrong("clock_hz", "give cycles in a second")
    groups: dict[tuple[str, object], list[_Found]] = {}
    for row in rows:
        found = _found(row, path.parent, clock, calls)
        groups.setdefault((found.name, found.calls), []).append(found)
    return Imported(
        samples=tuple(_mean(group) for group in groups.values()),
        identity=identity,
        clock_hz=clock,
        rows=len(rows),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """One row, understood."""

    where: str
    name: str
    calls: tuple[Call, ...]
    cycles: float
    operators: tuple[float, ...]
    is_network: bool


def _found(row: Row, folder: Path, clock_hz: int, calls: CallsOf) -> _Found:
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
        call = Call(_marked(call.kernel, row.flag("first")), call.place)
        name = row.text("network", call.kernel.signature)
        cycles = _positive(row, cycles_each)
        return _Found(row.where, name, (call,), cycles, (cycles,), is_network=False)
    strange = [name for name in (*SHAPE_COLUMNS, "first") if name in row.cells]
    if strange:
        raise row.wrong(strange[0], "leave it empty where the row is a whole network")
    content, graph = _model(row, folder)
    named = tuple(calls(graph))
    operators = _operators(row, cycles_each, len(named))
    name = row.text("network", hashlib.sha256(content).hexdigest()[:12])
    return _Found(row.where, name, named, _positive(row, cycles_each), operators, is_network=True)


def _marked(kernel: Kernel, first: bool) -> Kernel:
    """The kernel, first in its network or not: the graph of a single one cannot tell."""
    return replace(kernel, first=first)


def _cycles_each(row: Row, clock_hz: int) -> tuple[str, float]:
    """The column that holds the finding, and how many cycles its unit is."""
    given = [name for name in _FOUND if name in row.cells]
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
    """CalibrationResults of a network's operators, if the row has them, as cycles."""
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


def _mean(group: Sequence[_Found]) -> Sample:
    first = group[0]
    detailed = [found.operators for found in group if found.operators]
    return Sample(
        name=first.name,
        calls=first.calls,
        cycles=statistics.fmean(found.cycles for found in group),
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
    found = read_measurements(path, board_id=board.id, clock_hz=board.core_clock_hz)
    kernels = found.identity["kernels"]
    traits = KernelProfile(kernels, board.cpu.dcache_bytes, board.cpu.cache_line_bytes)
    fitted = fit_latency(
        found.samples,
        traits,
        ArenaLayout(kernels, None),
        float(found.clock_hz),
        found.identity,
        seed=seed,
    )
    return CalibrationResults(
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
        **origin({"from": path.name, "seed": seed}),
        **on_board(board, found.identity, f"{path.name}: {found.rows} rows"),
        "source_sha256": found.sha256,
        "device": {"runtime": found.identity["runtime"], "kernels": found.identity["kernels"]},
    }
