# SPDX-License-Identifier: Apache-2.0
"""Prediction intervals: conformal, from networks that the model was not fitted on.

Split conformal prediction (V. Vovk, A. Gammerman, G. Shafer: "Algorithmic Learning in a Random
World", 2005): if new networks are drawn as the held-out ones were, the interval holds
the actual value with the wanted probability, whatever the model is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unas.cost.mac_line import Vector
from unas.cost.operators import Call
from unas.cost.terms import family
from unas.errors import StoreError
from unas.record import Prediction

# Least relative error that is assumed of any stratum.
_MIN_ERROR = 0.01


def stratum(call: Call) -> str:
    """Name of the stratum: operators of one family, with working memory in fast or slow memory.

    The names are keys in files, which say "far" for slow memory.
    """
    name = family(call)
    return name if call.placement.fast_scratch is None else f"{name}, far"


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Relative error of single operators by stratum, and the part that a whole network shares.

    Attributes:
        families: Root mean square of log(actual / predicted), by stratum.
        whole: Relative error that all operators of a network have in common.
    """

    families: Mapping[str, float]
    whole: float = _MIN_ERROR

    def of(self, calls: Sequence[Call], cycles: Vector) -> float:
        """Expected relative error of a network whose operators take so many cycles.

        Operators err independently, so the relative error of a network of many equal operators is
        smaller than that of one of few. A stratum that was never held out counts as the worst one.
        """
        worst = max(self.families.values(), default=_MIN_ERROR)
        errors = cycles * np.array([self.families.get(stratum(call), worst) for call in calls])
        total = max(float(cycles.sum()), 1.0)
        return math.hypot(math.sqrt(float(errors @ errors)) / total, self.whole)

    @classmethod
    def learn(cls, errors: Mapping[str, Sequence[float]]) -> Uncertainty:
        """From log(actual / predicted) of held-out operators, by stratum."""
        return cls(
            {
                name: max(float(np.sqrt(np.mean(np.square(values)))), _MIN_ERROR)
                for name, values in sorted(errors.items())
                if len(values)
            }
        )


@dataclass(frozen=True, slots=True)
class ConformalInterval:
    """A width with which intervals hold the wanted share of held-out networks.

    Attributes:
        level: Share of networks whose actual value is to lie inside.
        width: In units of ``Uncertainty.of``, of the logarithm; or in cycles, if absolute.
        absolute: For models whose error does not grow with the network.
    """

    level: float
    width: float
    absolute: bool = False

    @classmethod
    def from_scores(
        cls, scores: Sequence[float], level: float, *, absolute: bool = False
    ) -> ConformalInterval:
        """The smallest width that covers; infinite where there are too few scores for the level.

        Args:
            scores: Of held-out networks: |error| in the units of ``width``.
            level: Share to cover, above 0 and below 1.
            absolute: See the class.
        """
        rank = math.ceil((len(scores) + 1) * level)
        width = sorted(scores)[rank - 1] if rank <= len(scores) else math.inf
        return cls(level, float(width), absolute)

    def around(self, value: float, uncertainty: float) -> Prediction:
        """The interval around a predicted number of cycles.

        Args:
            value: Predicted cycles.
            uncertainty: Expected relative error, from ``Uncertainty.of``.
        """
        if self.absolute:
            return Prediction(value, max(value - self.width, 0.0), value + self.width)
        factor = math.exp(min(self.width * uncertainty, 50.0))
        return Prediction(value, value / factor, value * factor)

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types; an infinite width is null."""
        width = self.width if math.isfinite(self.width) else None
        return {"level": self.level, "width": width, "absolute": self.absolute}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> ConformalInterval:
        """From ``to_json_dict``'s result.

        Raises:
            StoreError: Something is missing or of the wrong kind.
        """
        try:
            width = math.inf if data["width"] is None else float(data["width"])
            return cls(float(data["level"]), width, bool(data["absolute"]))
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"a stored interval is not readable: {error}") from error
