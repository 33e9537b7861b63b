# SPDX-License-Identifier: Apache-2.0
"""Latency, tensor arena and flash of a network as a stored calibration predicts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unas.board import Board
from unas.cost.advice import Advice, OperatorCost, costs
from unas.cost.advice import advise as find_advice
from unas.cost.memory import FlashModel
from unas.cost.model import MAC_LINE, LatencyModel
from unas.errors import ConfigError, StoreError
from unas.record import Prediction, Provenance
from unas.store.calibration import DEFAULT_RUNTIME, RESULTS, Models, calibration_folder, read_models
from unas.tflite.model_file import Model

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class NetworkPrediction:
    """What a network will cost on a board; provenance *predicted*.

    Attributes:
        model: The network.
        latency_model: Name of the latency model.
        fitted_on: What it was fitted on: board, runtime, kernels, provenance, timing.
        interval_level: Share of networks whose latency lies in the interval, 0 to 1.
        latency_us: Microseconds of one inference.
        mac_line_latency_us: The same by MACs, the paper's proxy; None where no line was fitted.
        arena_used_bytes: Tensor arena; None where the calibration has no model of it.
        flash_bytes: The program and this file; None likewise.
        operators: Cycles of every operator, in order.
        advice: Near shapes that the board runs faster; None where nobody asked.
    """

    model: Model
    latency_model: str
    fitted_on: Mapping[str, str]
    interval_level: float
    latency_us: Prediction
    mac_line_latency_us: Prediction | None
    arena_used_bytes: Prediction | None
    flash_bytes: Prediction | None
    operators: tuple[OperatorCost, ...]
    advice: tuple[Advice, ...] | None = None

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types; an end of an interval that nothing bounds is null."""
        data: dict[str, Any] = {
            "model": self.model.name,
            "model_sha256": self.model.flatbuffer.sha256,
            "provenance": str(Provenance.PREDICTED),
            "latency_model": self.latency_model,
            "fitted_on": dict(self.fitted_on),
            "interval_level": self.interval_level,
            "latency_us": _finite(self.latency_us),
            "mac_line_latency_us": _finite(self.mac_line_latency_us),
            "arena_used_bytes": _finite(self.arena_used_bytes),
            "flash_bytes": _finite(self.flash_bytes),
            "operators": [_operator_to_json(one) for one in self.operators],
        }
        if self.advice is not None:
            data["advice"] = [
                asdict(one) | {"kernel": one.kernel.signature, "instead": one.instead.signature}
                for one in self.advice
            ]
        return data

    def to_dict(self) -> dict[str, Any]:
        """As JSON types: what ``unas-hil predict --format json`` prints."""
        return self.to_json_dict()

    def to_frame(self) -> pd.DataFrame:
        """A row an operator: predicted cycles, share, multiply-accumulates."""
        import pandas as pd

        return pd.DataFrame([_operator_to_json(one) for one in self.operators])


def predict(
    model: Model,
    board: Board,
    *,
    runtime: str = DEFAULT_RUNTIME,
    latency_model: str | None = None,
    advise: bool = False,
    results: Path = RESULTS,
) -> NetworkPrediction:
    """Predict what a network will cost on a board, without building or running anything.

    Args:
        model: From ``unas.tflite.model_file.load_model``.
        board: A board that was calibrated.
        runtime: Name of the runtime that was calibrated on it.
        latency_model: ``"boosted"``, ``"operator-linear"`` or ``"mac-line"``; None: the one that
            calibration found best.
        advise: Also look for near shapes that the board runs faster.
        results: Directory of results, where the calibration lies.

    Raises:
        StoreError: The board was not calibrated, or its calibration cannot be read.
        ConfigError: There is no such latency model.
    """
    models = stored_models(board, runtime, results)
    chosen = _latency_model(models, latency_model)
    line = models.latency.get(MAC_LINE)
    file_bytes = model.flatbuffer.flatbuffer_bytes
    return NetworkPrediction(
        model=model,
        latency_model=chosen.name,
        fitted_on=dict(chosen.identity),
        interval_level=chosen.interval.level,
        latency_us=chosen.latency_us(model.graph),
        mac_line_latency_us=line.latency_us(model.graph) if line else None,
        arena_used_bytes=models.arena.predict(model.graph) if models.arena else None,
        flash_bytes=_flash_with_file(models.flash, file_bytes) if models.flash else None,
        operators=costs(model.graph, chosen),
        advice=find_advice(model.graph, chosen) if advise else None,
    )


def stored_models(board: Board, runtime: str, results: Path) -> Models:
    """The models that were fitted for a board and a runtime.

    Raises:
        StoreError: There are none; says how to make some.
    """
    folder = calibration_folder(board.id, results, runtime)
    if not folder.exists():
        option = "" if runtime == DEFAULT_RUNTIME else f" --runtime {runtime}"
        raise StoreError(
            f"no calibration in {folder}; make one with: unas-hil calibrate --board "
            f"{board.id}{option}"
        )
    return read_models(folder)


def _latency_model(models: Models, name: str | None) -> LatencyModel:
    if name is None:
        return models.default
    if name not in models.latency:
        raise ConfigError(
            f"no latency model {name!r} in this calibration; choose one of "
            f"{', '.join(models.latency)}"
        )
    return models.latency[name]


def _flash_with_file(program: FlashModel, file_bytes: int) -> Prediction:
    """Flash of an image with a file that is at hand: only the program around it is predicted."""
    return Prediction(
        file_bytes + program.program_bytes,
        file_bytes + program.least_program_bytes,
        file_bytes + program.most_program_bytes,
    )


def _operator_to_json(one: OperatorCost) -> dict[str, Any]:
    return {
        "index": one.index,
        "name": str(one.kernel.kind),
        "signature": one.kernel.signature,
        "cycles": one.cycles,
        "share": one.share,
        "macs": one.kernel.macs,
        "cycles_per_mac": one.cycles_per_mac,
    }


def _finite(prediction: Prediction | None) -> dict[str, float | None] | None:
    """JSON has no infinity: an end that nothing bounds is null."""
    if prediction is None:
        return None
    return {
        name: value if abs(value) < float("inf") else None
        for name, value in asdict(prediction).items()
    }
