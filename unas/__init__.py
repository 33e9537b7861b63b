# SPDX-License-Identifier: Apache-2.0
"""Neural networks that fit a microcontroller, judged by the board itself.

This is the door: ``import unas`` and take what is listed in ``unas.__all__``. Names are imported
when they are first used, so that the door itself costs nothing; ``help(unas.measure)`` and its like
have an example each. What the command line does, these functions do.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from unas._version import VERSION as __version__

if TYPE_CHECKING:
    from unas._door import calibrate, estimate, export, measure, predict, read_study, search
    from unas.board import Board, list_boards, load_board
    from unas.calibration.predict import NetworkPrediction
    from unas.calibration.run import CalibrationReport
    from unas.config import StudyConfig
    from unas.config.load import load_study
    from unas.errors import UnasError
    from unas.exports.bundle import Bundle
    from unas.record import Measurement, Provenance
    from unas.resources.estimate import ResourceEstimate
    from unas.store.study_folder import StudyResults
    from unas.tflite.model_file import Model, load_model

_HOMES = {
    "Board": "unas.board",
    "Bundle": "unas.exports.bundle",
    "CalibrationReport": "unas.calibration.run",
    "Measurement": "unas.record",
    "Model": "unas.tflite.model_file",
    "NetworkPrediction": "unas.calibration.predict",
    "Provenance": "unas.record",
    "ResourceEstimate": "unas.resources.estimate",
    "StudyConfig": "unas.config",
    "StudyResults": "unas.store.study_folder",
    "UnasError": "unas.errors",
    "calibrate": "unas._door",
    "estimate": "unas._door",
    "export": "unas._door",
    "list_boards": "unas.board",
    "load_board": "unas.board",
    "load_model": "unas.tflite.model_file",
    "load_study": "unas.config.load",
    "measure": "unas._door",
    "predict": "unas._door",
    "read_study": "unas._door",
    "search": "unas._door",
}

__all__ = [
    "Board",
    "Bundle",
    "CalibrationReport",
    "Measurement",
    "Model",
    "NetworkPrediction",
    "Provenance",
    "ResourceEstimate",
    "StudyConfig",
    "StudyResults",
    "UnasError",
    "__version__",
    "calibrate",
    "estimate",
    "export",
    "list_boards",
    "load_board",
    "load_model",
    "load_study",
    "measure",
    "predict",
    "read_study",
    "search",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(
            f"module 'unas' has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
