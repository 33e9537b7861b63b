# SPDX-License-Identifier: Apache-2.0
"""A predicted value with its interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says; provenance *predicted*.

    Attributes:
        value: Best guess.
        lower: Lower end of the interval.
        upper: Upper end of the interval.
    """

    value: float
    lower: float
    upper: float
