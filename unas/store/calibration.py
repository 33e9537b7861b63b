# SPDX-License-Identifier: Apache-2.0
"""``results/calibration/<board>[-<runtime>]/``: what a calibration found, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import pandas as pd

from unas._codec import shown
from unas._text import read_json_file
from unas.cost.mac_line import Fit
from unas.cost.memory import ArenaModel, FlashModel
from unas.cost.model import LatencyModel
from unas.cost.model_selection import Fitted, HeldOut, quality_of
from unas.cost.types import Sample
from unas.errors import StoreError
from unas.record import Measurement
from unas.store.measurements import write_samples

RESULTS = Path("results")
DEFAULT_RUNTIME = "builtin"
_TABLE, _RECORDS, _KERNELS, _SAMPLES, _FIT, _MODELS = (
    "measurements.csv",
    "measurements.jsonl",
    "kernels.jsonl",
    "samples.jsonl",
    "fit.json",
    "models.json",
)
_PREDICTIONS, _OPERATORS, _SAMPLING, _ENVIRONMENT = (
    "predictions.csv",
    "operators.csv",
    "sampling.json",
    "environment.json",
)
# What a reader may raise that meets another type than it expects.
_STUMBLES = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
_QUALITIES = {"latency", "arena", "flash"}
# Columns of the tables: names, then numbers.
_PREDICTED = ("found_us", "predicted_us", "lower_us", "upper_us", "paper_macs")
_OPERATOR_NAMES = ("network", "model", "family")
_OPERATOR_CYCLES = ("found_cycles", "predicted_cycles")


@dataclass(frozen=True, slots=True)
class Models:
    """What was fitted.

    Attributes:
        latency: Latency models by name.
        chosen: Name of the one to use.
        arena: Of ``arena_used_bytes``; None where too few networks tell it.
        flash: Of ``flash_bytes``; None likewise.
    """

    latency: Mapping[str, LatencyModel]
    chosen: str
    arena: ArenaModel | None = None
    flash: FlashModel | None = None

    @property
    def default(self) -> LatencyModel:
        """The latency model to use."""
        return self.latency[self.chosen]


@dataclass(frozen=True, slots=True)
class CalibrationResults:
    """All that a calibration writes.

    Attributes:
        rows: One a network; see ``measurements.csv``.
        samples: What the latency models were fitted on.
        fitted: The latency models, and predictions for networks that they had not seen.
        environment: Versions, compiler, board file, command.
        measurements: Of networks; none if the numbers were measured elsewhere.
        kernels: Of single kernels.
        arena: Of ``arena_used_bytes``.
        flash: Of ``flash_bytes``.
        lines: Latency over MACs and arena over peak memory as straight lines.
        sampling: What active sampling did, round by round.
    """

    rows: Sequence[Mapping[str, object]]
    samples: Sequence[Sample]
    fitted: Fitted
    environment: Mapping[str, Any]
    measurements: Sequence[Measurement] = ()
    kernels: Sequence[Measurement] = ()
    arena: ArenaModel | None = None
    flash: FlashModel | None = None
    lines: Mapping[str, Fit] = field(default_factory=dict)
    sampling: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """A stored calibration.

    Attributes:
        table: One row per network; see ``measurements.csv``.
        models: What was fitted.
        predictions: A row for each held-out network and model: network, model, found_us,
            predicted_us, lower_us, upper_us, paper_macs.
        operators: A row for each operator family of a held-out network and model: network, model,
            family, found_cycles, predicted_cycles.
        quality: ``quality["latency"][name]``, ``["arena"]`` and ``["flash"]``, held out.
        lines: Straight lines by quantity: "latency", and "arena" where it was measured.
        environment: Versions, compiler, board file, command.
    """

    table: pd.DataFrame
    models: Models
    predictions: pd.DataFrame
    operators: pd.DataFrame
    quality: Mapping[str, Any]
    lines: Mapping[str, Fit]
    environment: Mapping[str, Any]


def calibration_folder(
    board_id: str, results: Path = RESULTS, runtime: str = DEFAULT_RUNTIME
) -> Path:
    """Where the calibration of a board and a runtime is kept; the built-in one needs no name."""
    name = board_id if runtime == DEFAULT_RUNTIME else f"{board_id}-{runtime}"
    return results / "calibration" / name


def write_calibration(folder: Path, result: CalibrationResults) -> None:
    """Write all files of a calibration into a folder.

    Raises:
        StoreError: The measurements come from several boards, runtimes or cycle models.
    """
    everything = [*result.measurements, *result.kernels]
    if len({m.conditions for m in everything}) > 1:
        raise StoreError("a calibration holds one board, runtime and timing; calibrate again")
    pd.DataFrame(result.rows).to_csv(folder / _TABLE, index=False)
    if result.measurements:
        _write_records(folder / _RECORDS, result.measurements)
    if result.kernels:
        _write_records(folder / _KERNELS, result.kernels)
    write_samples(folder / _SAMPLES, result.samples)
    clock_hz = result.fitted.model.clock_hz
    held_out = result.fitted.held_out
    pd.DataFrame([_prediction(one, clock_hz) for one in held_out]).to_csv(
        folder / _PREDICTIONS, index=False
    )
    columns = [*_OPERATOR_NAMES, *_OPERATOR_CYCLES]
    operators = [row for one in held_out for row in _operators(one)]
    pd.DataFrame(operators, columns=columns).to_csv(folder / _OPERATORS, index=False)
    lines = {name: line.to_json_dict() for name, line in result.lines.items()}
    _write_json(folder / _FIT, lines)
    _write_json(folder / _MODELS, _models_to_json(result))
    _write_json(folder / _ENVIRONMENT, result.environment)
    if result.sampling is not None:
        _write_json(folder / _SAMPLING, result.sampling)


def quality_to_json_dict(
    fitted: Fitted, arena: ArenaModel | None = None, flash: FlashModel | None = None
) -> dict[str, Any]:
    """How good every model is on networks that it has not seen, as JSON types."""
    return {
        "latency": {name: asdict(quality_of(fitted.held_out, name)) for name in fitted.models},
        "arena": arena and asdict(arena.quality),
        "flash": flash and asdict(flash.quality),
    }


def read_calibration(folder: Path) -> Calibration:
    """Read what ``write_calibration`` wrote.

    Raises:
        StoreError: It is not there, or not readable.
    """
    stored = _read_object(folder / _MODELS)
    environment = _read_object(folder / _ENVIRONMENT)
    lines = _read_object(folder / _FIT)
    return Calibration(
        _read_table(folder / _TABLE, ("provenance", "timing"), ("paper_macs", "latency_us")),
        _models_from_json(stored, folder),
        _read_table(folder / _PREDICTIONS, ("network", "model"), _PREDICTED),
        _read_table(folder / _OPERATORS, _OPERATOR_NAMES, _OPERATOR_CYCLES, may_be_empty=True),
        _quality(stored["quality"], folder / _MODELS),
        _stored_by_name(lines, Fit, folder / _FIT),
        environment,
    )


def read_models(folder: Path) -> Models:
    """The fitted models alone: what a search or a prediction needs.

    Raises:
        StoreError: They are not there, or not readable.
    """
    return _models_from_json(_read_object(folder / _MODELS), folder)


def _read_table(
    path: Path, names: Sequence[str], numbers: Sequence[str], *, may_be_empty: bool = False
) -> pd.DataFrame:
    """A CSV file with these columns at least.

    Raises:
        StoreError: It is not there, lacks a column or a row, or has no number where one belongs.
    """
    try:
        table = pd.read_csv(path)
    except FileNotFoundError as error:
        raise _missing_calibration(path.parent) from error
    except (OSError, ValueError) as error:
        raise StoreError(
            f"cannot read {path}: {' '.join(str(error).split())}; calibrate again"
        ) from error
    missing = sorted({*names, *numbers} - set(table.columns))
    if missing:
        raise StoreError(f"{path} lacks {', '.join(missing)}; calibrate again")
    if table.empty and not may_be_empty:
        raise StoreError(f"{path} has no row; calibrate again")
    for name in () if table.empty else numbers:
        if table[name].dtype.kind not in "iuf" or table[name].isna().any():
            raise StoreError(f"{path}: {name!r} is not a number in every row; calibrate again")
    return table


class _Stored(Protocol):
    """What reads itself from JSON."""

    @classmethod
    def from_json_dict(cls, data: Any) -> Self: ...


_S = TypeVar("_S", bound=_Stored)


def _missing_calibration(folder: Path) -> StoreError:
    return StoreError(
        f"no calibration in {folder}; make one with: unas-hil calibrate --board {folder.name}"
    )


def _read_object(path: Path) -> dict[str, Any]:
    """A file that holds one JSON object.

    Raises:
        StoreError: It is not there, or holds something else.
    """
    if not path.exists():
        raise _missing_calibration(path.parent)
    # With few networks an interval has no end: its width in percent is infinite.
    data = read_json_file(path, "calibrate again", finite=False)
    if not isinstance(data, dict):
        raise StoreError(f"{path} is {shown(data)}; it must be a JSON object: calibrate again")
    return data


def _stored(data: Any, kind: type[_S], path: Path) -> _S:
    """A model, by its own reader, which may stumble over what no calibration writes."""
    if not isinstance(data, dict):
        raise StoreError(f"{path}: {shown(data)} is no fitted model; calibrate again")
    try:
        return kind.from_json_dict(data)
    except StoreError as error:
        raise StoreError(f"{path}: {error}") from error
    except _STUMBLES as error:
        what = f"a stored model is not readable ({type(error).__name__}: {error})"
        raise StoreError(f"{path}: {' '.join(what.split())}; calibrate again") from error


def _stored_by_name(data: Any, kind: type[_S], path: Path) -> dict[str, _S]:
    if not isinstance(data, dict):
        raise StoreError(f"{path}: {shown(data)} is no JSON object of models; calibrate again")
    return {name: _stored(model, kind, path) for name, model in data.items()}


def _quality(data: Any, path: Path) -> Mapping[str, Any]:
    """How good the models are: a JSON object of objects of numbers."""
    latency = data.get("latency") if isinstance(data, dict) else None
    if not isinstance(data, dict) or set(data) != _QUALITIES or not isinstance(latency, dict):
        raise StoreError(f"{path}: 'quality' is {shown(data)}; calibrate again")
    for name, metrics in (*latency.items(), ("arena", data["arena"]), ("flash", data["flash"])):
        if not (_is_metrics(metrics) or (metrics is None and name in ("arena", "flash"))):
            raise StoreError(f"{path}: 'quality' of {name} is {shown(metrics)}; calibrate again")
    return data


def _is_metrics(data: Any) -> bool:
    """Whether it is an object of numbers, or of such objects."""
    return isinstance(data, dict) and all(
        type(value) in (int, float) or _is_metrics(value) for value in data.values()
    )


def _models_to_json(result: CalibrationResults) -> dict[str, Any]:
    return {
        "latency": {name: model.to_json_dict() for name, model in result.fitted.models.items()},
        "chosen": result.fitted.model.name,
        "arena": result.arena and result.arena.to_json_dict(),
        "flash": result.flash and result.flash.to_json_dict(),
        "quality": quality_to_json_dict(result.fitted, result.arena, result.flash),
    }


def _models_from_json(stored: Any, folder: Path) -> Models:
    expected = {"latency", "chosen", "arena", "flash", "quality"}
    if not isinstance(stored, dict) or set(stored) != expected:
        raise StoreError(f"{folder / _MODELS} does not hold {sorted(expected)}; calibrate again")
    path = folder / _MODELS
    latency = _stored_by_name(stored["latency"], LatencyModel, path)
    if not isinstance(stored["chosen"], str) or stored["chosen"] not in latency:
        raise StoreError(
            f"{folder / _MODELS} chooses {shown(stored['chosen'])}, which it lacks; calibrate again"
        )
    arena, flash = stored["arena"], stored["flash"]
    return Models(
        latency,
        stored["chosen"],
        None if arena is None else _stored(arena, ArenaModel, path),
        None if flash is None else _stored(flash, FlashModel, path),
    )


def _prediction(one: HeldOut, clock_hz: float) -> dict[str, object]:
    us = 1e6 / clock_hz
    return {
        "network": one.name,
        "model": one.model,
        "found_us": one.cycles * us,
        "predicted_us": one.predicted.value * us,
        "lower_us": one.predicted.lower * us,
        "upper_us": one.predicted.upper * us,
        "paper_macs": one.paper_macs,
    }


def _operators(one: HeldOut) -> Iterable[tuple[str, str, str, float, float]]:
    return ((one.name, one.model, *operator) for operator in one.operators)


def _write_records(path: Path, measurements: Iterable[Measurement]) -> None:
    lines = (json.dumps(m.to_json_dict(), sort_keys=True) + "\n" for m in measurements)
    path.write_text("".join(lines))


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
