# SPDX-License-Identifier: Apache-2.0
"""The Pareto front of records over any of their quantities, and its hypervolume.

The hypervolume is how much of the space below a reference point a front dominates. It is exact, by
the WFG recursion (While, Bradstreet, Barone: "A Fast Way of Calculating Exact
Hypervolumes", IEEE Transactions on Evolutionary Computation 16(1), 2012): each point adds its own
box less what the points after it, limited to that box, cover already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from unas.errors import ConfigError
from unas.record import Figures, MeasuredFigures, Outcome, Prediction, Record, TrainingResult

VALUE_NAMES = ("error", "peak_memory_bytes", "model_size_bytes", "macs", "latency_us")
"""The quantities of ``Record.values``."""


def quantity(record: Record, name: str) -> float | None:
    """One number of a record, or None where it is not known.

    Args:
        record: The record.
        name: One of ``values`` (``"error"``, ``"latency_us"``, …), or of
            ``QUANTITIES``, which come from one source each and never mix provenances.

    Raises:
        ConfigError: No such quantity.
    """
    if name in VALUE_NAMES:
        return record.values.get(name)
    if name not in QUANTITIES:
        known = ", ".join((*VALUE_NAMES, *QUANTITIES))
        raise ConfigError(f"records have no quantity {name!r}; known: {known}")
    return QUANTITIES[name](record)


def non_dominated(points: NDArray[np.float64]) -> NDArray[np.intp]:
    """Positions of the points that no other point dominates; less is better on every axis.

    A point dominates another if it is nowhere worse and somewhere better. Equal points do not
    dominate each other: all of them are kept.

    Args:
        points: Shape (points, objectives), finite.
    """
    kept = []
    for i, point in enumerate(points):
        no_worse = (points <= point).all(axis=1)
        if not (no_worse & (points < point).any(axis=1)).any():
            kept.append(i)
    return np.array(kept, dtype=np.intp)


def pareto_front(
    records: Iterable[Record],
    objectives: Sequence[str] = ("error", "peak_memory_bytes", "model_size_bytes"),
    *,
    feasible_only: bool = False,
) -> list[Record]:
    """The COMPLETE records that no other one dominates, by the first objective.

    Args:
        records: Everything seen.
        objectives: Names of quantities; a record that lacks one takes no part.
        feasible_only: Whether a record must also violate no bound.

    Raises:
        ConfigError: No such quantity.
    """
    candidates, points = [], []
    for record in records:
        values = [quantity(record, name) for name in objectives]
        known = [value for value in values if value is not None]
        usable = record.feasible if feasible_only else record.outcome is Outcome.COMPLETE
        if usable and len(known) == len(objectives):
            candidates.append(record)
            points.append(known)
    if not candidates:
        return []
    front = non_dominated(np.array(points, dtype=np.float64))
    return [candidates[i] for i in sorted(front, key=lambda i: (points[i], candidates[i].index))]


def _middle(interval: Prediction | None) -> float | None:
    return None if interval is None else interval.value


def _figure(pick: Callable[[Figures], float | None]) -> Callable[[Record], float | None]:
    return lambda record: None if record.figures is None else pick(record.figures)


def _board(pick: Callable[[MeasuredFigures], float]) -> Callable[[Record], float | None]:
    return lambda record: None if record.measurement is None else pick(record.measurement)


def _training(pick: Callable[[TrainingResult], float | None]) -> Callable[[Record], float | None]:
    return lambda record: None if record.training is None else pick(record.training)


QUANTITIES: dict[str, Callable[[Record], float | None]] = {
    "val_error": _training(lambda t: t.val_error),
    "test_error": _training(lambda t: t.test_error),
    "float_val_error": _training(lambda t: t.float_val_error),
    "float_test_error": _training(lambda t: t.float_test_error),
    "paper_macs": _figure(lambda f: f.paper_macs),
    "flatbuffer_bytes": _figure(lambda f: f.flatbuffer_bytes),
    "peak_memory_without_input_bytes": _figure(lambda f: f.peak_memory_without_input_bytes),
    "predicted_latency_us": _figure(lambda f: _middle(f.latency_us)),
    "predicted_arena_used_bytes": _figure(lambda f: _middle(f.arena_used_bytes)),
    "board_latency_us": _board(lambda m: m.latency_us),
    "board_arena_used_bytes": _board(lambda m: m.arena_used_bytes),
    "board_flash_bytes": _board(lambda m: m.flash_bytes),
}
"""Further quantities. Those of a board are emulated or measured; the record has the
provenance."""


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
