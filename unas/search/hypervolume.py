# SPDX-License-Identifier: Apache-2.0
"""The hypervolume of a front: how much of the space below a reference point it dominates.

Exact, by the WFG recursion (While, Bradstreet, Barone: "A Fast Way of Calculating Exact
Hypervolumes", IEEE Transactions on Evolutionary Computation 16(1), 2012): each point adds its own
box less what the points after it, limited to that box, cover already.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unas.errors import ConfigError
from unas.search.pareto import non_dominated


def hypervolume(points: NDArray[np.float64], reference: Sequence[float]) -> float:
    """Volume of what is dominated by some point and dominates the reference point.

    Args:
        points: Shape (points, objectives); less is better. Dominated points add nothing, neither do
            those that are not below the reference on every axis.
        reference: One value an objective. Normalise objectives first: a volume mixes their units.

    Raises:
        ConfigError: Points and reference have different numbers of objectives.
    """
    corner = np.array(reference, dtype=np.float64)
    rows = np.array(points, dtype=np.float64).reshape(-1, corner.size)
    if np.size(points) and np.shape(points)[-1] != corner.size:
        raise ConfigError(
            f"points of {np.shape(points)[-1]} objectives and a reference of {corner.size}; give "
            "one reference value an objective"
        )
    return _volume(_front(rows[(rows < corner).all(axis=1)]), corner)


def _front(points: NDArray[np.float64]) -> NDArray[np.float64]:
    unique = np.unique(points, axis=0)
    return unique[non_dominated(unique)]


def _volume(points: NDArray[np.float64], corner: NDArray[np.float64]) -> float:
    """Of a front without equal points, each below the corner."""
    if len(points) == 0:
        return 0.0
    if corner.size == 1:
        return float(corner[0] - points.min())
    if corner.size == 2:
        return _area(points, corner)
    # Points that are worst on the last axis first: the boxes they share with later ones are flat.
    points = points[np.argsort(-points[:, -1])]
    total = 0.0
    for i, point in enumerate(points):
        box = float(np.prod(corner - point))
        rest = np.maximum(points[i + 1 :], point)
        total += box - (_volume(_front(rest), corner) if len(rest) else 0.0)
    return total


def _area(points: NDArray[np.float64], corner: NDArray[np.float64]) -> float:
    """Of a front in two dimensions: steps from left to right."""
    ordered = points[np.argsort(points[:, 0])]
    widths = np.append(ordered[1:, 0], corner[0]) - ordered[:, 0]
    return float((widths * (corner[1] - ordered[:, 1])).sum())
