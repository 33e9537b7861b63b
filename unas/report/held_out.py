# SPDX-License-Identifier: Apache-2.0
"""Predictions for networks that a model had not seen, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unas.errors import StoreError
from unas.store.calibration import Calibration

Vector = npt.NDArray[np.float64]
_COLUMNS = ("found_us", "predicted_us", "lower_us", "upper_us")


@dataclass(frozen=True, slots=True)
class HeldOutTable:
    """One model's predictions, each made without the network it is for; all of shape (n,).

    Attributes:
        model: Its name.
        found_us: Latency that was emulated or measured.
        predicted_us: What the model says.
        lower_us: Lower end of its interval.
        upper_us: Upper end of its interval.
    """

    model: str
    found_us: Vector
    predicted_us: Vector
    lower_us: Vector
    upper_us: Vector

    @property
    def error(self) -> Vector:
        """(predicted - found) / found."""
        return self.predicted_us / self.found_us - 1.0


def held_out(calibration: Calibration, model: str) -> HeldOutTable:
    """A model's predictions for networks it had not seen, in the order they are stored.

    Raises:
        StoreError: There are none of that model, or no finite ones.
    """
    table = calibration.predictions
    rows = table[table["model"] == model]
    arrays = [rows[name].to_numpy(dtype=np.float64) for name in _COLUMNS]
    if len(rows) == 0 or not all(np.isfinite(array).all() for array in arrays[:2]):
        known = ", ".join(sorted(set(table["model"])))
        raise StoreError(
            f"no held-out predictions of the model {model!r}; there are some of: {known or 'none'};"
            " calibrate again"
        )
    return HeldOutTable(model, *arrays)


def models_shown(calibration: Calibration) -> tuple[str, ...]:
    """The baseline first, the default last; models without predictions left out."""
    have = set(calibration.predictions["model"])
    chosen = calibration.models.chosen
    order = ["mac-line", "operator-linear", "boosted"]
    others = [name for name in order if name in have and name != chosen]
    return (*others, *([chosen] if chosen in have else []))
