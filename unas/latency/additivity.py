# SPDX-License-Identifier: Apache-2.0
"""From operators to the whole network: what is not in the operators' own cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unas.errors import StoreError
from unas.latency.sample import Sample

_FEWEST = 8


@dataclass(frozen=True, slots=True)
class Additivity:
    """cycles = scale * sum of the operators' cycles + overhead * operators.

    Attributes:
        scale: A run that is not profiled is a little faster than the profiled one.
        overhead: Cycles per operator outside of it.
        residual_percent: Mean relative error of this relation on found cycles, in percent: what no
            sum of operators can explain.
    """

    scale: float = 1.0
    overhead: float = 0.0
    residual_percent: float = 0.0

    @classmethod
    def fit(cls, samples: Sequence[Sample]) -> Additivity:
        """Least squares of the relative error over networks with profiled operators.

        With too few of them the sum is taken as it is.
        """
        known = [sample for sample in samples if sample.is_network and sample.operator_cycles]
        found = np.array([sample.cycles for sample in known])
        sums = np.array([sum(sample.operator_cycles) for sample in known])
        counts = np.array([float(len(sample.calls)) for sample in known])
        if len(known) < _FEWEST:
            scale, overhead = 1.0, 0.0
        else:
            rows = np.stack([sums / found, counts / found], axis=1)
            scale, overhead = np.linalg.lstsq(rows, np.ones(len(known)), rcond=None)[0]
        error = np.abs(scale * sums + overhead * counts - found) / found if len(known) else [0.0]
        return cls(float(scale), float(overhead), float(np.mean(error) * 100))

    def total(self, cycles: float, operators: int) -> float:
        """Cycles of a network from the sum over its operators."""
        return self.scale * cycles + self.overhead * operators

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Additivity:
        """From ``dataclasses.asdict``'s result.

        Raises:
            StoreError: Something is missing or unknown.
        """
        try:
            return cls(**{name: float(value) for name, value in data.items()})
        except (TypeError, ValueError) as error:
            raise StoreError(f"a stored correction is not readable: {error}") from error
