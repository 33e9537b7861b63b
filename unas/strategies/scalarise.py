# SPDX-License-Identifier: Apache-2.0
"""Several objectives as one number, by random scalarisation.

With quantities x, bounds b and weights λ drawn from U(0, 1) for each comparison, a record's score
is the largest of ``min(x / b, cap) / λ``; less is better. That is the scalarisation of the μNAS
paper (``max λ' x`` with ``1 / λ' ~ U(0, b)``) with the cap of its reference code. A bound that is
exceeded outweighs most that is within its own; which objective counts most changes each time.

A candidate that was not trained has no error. What is not known counts as ``cap``, the worst there
is: so on no objective does ignorance beat knowledge, and where the violated objective decides, a
feasible record always wins. Among records that tie that way, as untrained ones often do, the one of
which more is known wins, and then the one with the better score over what is known: the smaller
violation wins, and a population without any feasible member moves towards the bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from unas.constraints import Constraints

_NAMES = tuple(field.name for field in fields(Constraints))
Ratios = NDArray[np.float64]
"""Shape (objectives,) or (records, objectives): quantity over bound, NaN where not known."""


class Scalarisation:
    """Compares records under one set of bounds."""

    def __init__(self, constraints: Constraints, cap: float = 10.0) -> None:
        """A comparison.

        Args:
            constraints: The bounds; a quantity without one does not count.
            cap: Largest ratio of quantity and bound that counts.
        """
        self._bounds, self._cap = constraints.bounds(), cap
        self._places = np.array([_NAMES.index(name) for name in self._bounds], dtype=np.intp)

    def ratios(self, values: Mapping[str, float]) -> Ratios:
        """One row: quantity over bound, at most ``cap``, for each bound; NaN where not known."""
        named = self._bounds.items()
        row = [values[name] / bound if name in values else np.nan for name, bound in named]
        return np.minimum(np.array(row, dtype=np.float64), self._cap)

    def draw_weights(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """λ for each bound, within (0, 1].

        As many are drawn as there could be bounds: leaving one out changes no other's draws.
        """
        return (1.0 - rng.random(len(_NAMES)))[self._places]

    def best(self, ratios: Ratios, weights: NDArray[np.float64]) -> int:
        """The row with the least score; the first of equal ones.

        Args:
            ratios: Shape (records, objectives), at least one record.
            weights: λ, shape (objectives,).
        """
        unknown = np.isnan(ratios)
        pessimistic = (np.where(unknown, self._cap, ratios) / weights).max(axis=1)
        known = (np.where(unknown, -np.inf, ratios) / weights).max(axis=1)
        return int(np.lexsort((known, unknown.sum(axis=1), pessimistic))[0])
