# SPDX-License-Identifier: Apache-2.0
"""What was found out about networks, with its provenance; JSON in and out."""

from __future__ import annotations

from unas.record.measurement import (
    MEASUREMENT_SCHEMA,
    ArenaUse,
    Conditions,
    HardwareEvent,
    Measurement,
    OperatorCycles,
    OutputCheck,
    Provenance,
)
from unas.record.study import (
    RECORD_SCHEMA,
    Figures,
    FinalTraining,
    MeasuredFigures,
    Outcome,
    Prediction,
    Record,
    Stage,
    TrainingResult,
)

__all__ = [
    "MEASUREMENT_SCHEMA",
    "RECORD_SCHEMA",
    "ArenaUse",
    "Conditions",
    "Figures",
    "FinalTraining",
    "HardwareEvent",
    "MeasuredFigures",
    "Measurement",
    "OperatorCycles",
    "Outcome",
    "OutputCheck",
    "Prediction",
    "Provenance",
    "Record",
    "Stage",
    "TrainingResult",
]
