# SPDX-License-Identifier: Apache-2.0
"""Limits on a candidate, and by how much it violates them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from unas.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Constraints:
    """Upper bounds; None leaves a quantity free.

    Attributes:
        error: Share of wrong classifications, 0 to 1.
        peak_memory_bytes: Computed RAM need.
        model_size_bytes: Parameters at one byte each.
        macs: Multiply-accumulates.
        latency_us: Time of one inference in microseconds.

    Raises:
        ConfigError: A bound is not a positive, finite number.
    """

    error: float | None = None
    peak_memory_bytes: int | None = None
    model_size_bytes: int | None = None
    macs: int | None = None
    latency_us: float | None = None

    def __post_init__(self) -> None:
        for name, bound in self.bounds().items():
            if not (math.isfinite(bound) and bound > 0):
                raise ConfigError(
                    f"the constraint {name} is {bound}; give a positive number, or leave it out"
                )

    def bounds(self) -> dict[str, float]:
        """The bounds that are set, by name."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: bound for name, bound in named.items() if bound is not None}

    def violations(self, values: Mapping[str, float]) -> dict[str, float]:
        """How far each violated bound is exceeded: value / bound, above 1; empty if feasible.

        Args:
            values: Quantities by the names above. A bounded quantity that is missing is not judged:
                a candidate is judged stage by stage, and its error comes last.
        """
        return {
            name: values[name] / bound
            for name, bound in self.bounds().items()
            if name in values and not values[name] <= bound  # NaN is a violation
        }

    def feasible(self, values: Mapping[str, float]) -> bool:
        """Whether no bound is violated by the values that are known."""
        return not self.violations(values)
