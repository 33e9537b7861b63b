# SPDX-License-Identifier: Apache-2.0
"""The paper's proxy as a latency model: cycles from multiply-accumulates. The baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from unas.errors import StoreError
from unas.latency.kernel import Call
from unas.latency.line import Line, fit_line
from unas.latency.sample import Sample

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MacLine:
    """cycles = slope * MACs + intercept, MACs counted as in the paper."""

    line: Line

    @classmethod
    def fit(cls, samples: Sequence[Sample]) -> MacLine:
        """Ordinary least squares over whole networks, as in the paper's experiment.

        Raises:
            StoreError: Fewer than two different counts of MACs.
        """
        macs = np.array([sample.paper_macs for sample in samples], dtype=np.float64)
        return cls(fit_line(macs, np.array([sample.cycles for sample in samples])))

    def operators(self, calls: Sequence[Call]) -> Vector:
        """Each call's share without the intercept, shape (n,)."""
        return self.line.slope * np.array([float(call.kernel.paper_macs) for call in calls])

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {"slope": self.line.slope, "intercept": self.line.intercept}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> MacLine:
        """From ``to_json_dict``'s result.

        Raises:
            StoreError: Something is missing.
        """
        try:
            return cls(Line(float(data["slope"]), float(data["intercept"])))
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"a stored line is not readable: {error}; calibrate again") from error
