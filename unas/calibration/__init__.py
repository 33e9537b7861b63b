# SPDX-License-Identifier: Apache-2.0
"""Calibration: draw networks and single kernels, measure them, fit, say how good it is."""

from unas.calibration.draw import (
    INPUT_SHAPE,
    LIMIT_BYTES,
    NUM_CLASSES,
    DrawnNetwork,
    Point,
    draw_samples,
    limits,
    table_row,
)

__all__ = [
    "INPUT_SHAPE",
    "LIMIT_BYTES",
    "NUM_CLASSES",
    "DrawnNetwork",
    "Point",
    "draw_samples",
    "limits",
    "table_row",
]
