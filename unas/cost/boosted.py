# SPDX-License-Identifier: Apache-2.0
"""The linear model times a factor from gradient-boosted trees, one ensemble a family.

The trees split on the shape of a kernel, its placement, how the runtime blocks it, and the share
that each cost term has in the linear model's cycles.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from unas.cost.linear import OperatorLinear, operator_points
from unas.cost.operators import Call
from unas.cost.terms import (
    cost_terms,
    family,
    patch_bytes,
    pixels_at_once,
    slow_patches,
)
from unas.cost.tree_ensembles import BoostingParams, StackedEnsembles, TreeEnsemble, fit_ensemble
from unas.cost.types import KernelProfile, Sample
from unas.errors import StoreError
from unas.graph import Activation

Vector = npt.NDArray[np.float64]
# Trees fitted to fewer points would memorise them.
_MIN_POINTS = 30
_MAX_CACHED = 1 << 16


@dataclass(frozen=True, slots=True)
class Boosted:
    """Cost terms times exp(trees).

    Attributes:
        linear: The model that the trees correct.
        trees: Ensembles that predict the logarithm of the factor, by family; families with few
            points have none.
    """

    linear: OperatorLinear
    trees: Mapping[str, TreeEnsemble]
    _ensemble_index: dict[str, int] = field(init=False, repr=False, compare=False)
    _ensembles: StackedEnsembles = field(init=False, repr=False, compare=False)
    _width: int = field(init=False, repr=False, compare=False)
    # A search predicts the same operators many times.
    _cached: dict[Call, float] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        names = sorted(self.trees)
        none = TreeEnsemble.zero()  # index 0: for families without trees
        object.__setattr__(
            self, "_ensemble_index", {name: i for i, name in enumerate(names, start=1)}
        )
        object.__setattr__(
            self, "_ensembles", StackedEnsembles([none, *(self.trees[name] for name in names)])
        )
        terms = max((len(weights) for weights in self.linear.weights.values()), default=0)
        object.__setattr__(self, "_width", len(FEATURES) + terms)

    @classmethod
    def fit(
        cls,
        samples: Sequence[Sample],
        profile: KernelProfile,
        params: BoostingParams | None = None,
        seed: int = 0,
    ) -> Boosted:
        """Fit the terms, then trees to the logarithm of measured over predicted cycles.

        Args:
            samples: With cycles per operator.
            profile: Of board and runtime.
            params: Of the trees.
            seed: Draws the points of each tree.

        Raises:
            StoreError: No sample has cycles per operator.
        """
        linear = OperatorLinear.fit(samples, profile)
        groups: dict[str, list[tuple[Call, float]]] = {}
        for call, mean in operator_points(samples):
            groups.setdefault(family(call), []).append((call, mean))
        trees = {}
        for name, points in sorted(groups.items()):
            if len(points) < _MIN_POINTS:
                continue
            calls = [call for call, _ in points]
            cycles = np.array([mean for _, mean in points])
            residual = np.log(cycles / linear.operators(calls))
            x = np.array([_row(call, linear)[1] for call in calls])
            trees[name] = fit_ensemble(x, residual, params or BoostingParams(), seed)
        return cls(linear, trees)

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        trees = {name: one.to_json_dict() for name, one in self.trees.items()}
        return self.linear.to_json_dict() | {"trees": trees}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any], profile: KernelProfile) -> Boosted:
        """From ``to_json_dict``'s result.

        Raises:
            StoreError: Something is missing or does not fit together.
        """
        linear = OperatorLinear.from_json_dict(data, profile)
        try:
            trees = {name: TreeEnsemble.from_json_dict(one) for name, one in data["trees"].items()}
        except (KeyError, AttributeError) as error:
            raise StoreError(f"stored trees are not readable: {error}; calibrate again") from error
        for name, one in trees.items():
            inputs = len(FEATURES) + len(linear.weights.get(name, ()))
            if name not in linear.weights or (one.feature >= inputs).any():
                raise StoreError(
                    f"the stored trees of {name} do not fit its terms; calibrate again"
                )
        return cls(linear, trees)

    def operators(self, calls: Sequence[Call]) -> Vector:
        """Cycles of each call, shape (n,)."""
        new = [call for call in dict.fromkeys(calls) if call not in self._cached]
        if new:
            if len(self._cached) > _MAX_CACHED:
                self._cached.clear()
            self._cached.update(zip(new, self._predict(new).tolist(), strict=True))
        return np.array([self._cached[call] for call in calls])

    def _predict(self, calls: Sequence[Call]) -> Vector:
        cycles, x = np.empty(len(calls)), np.zeros((len(calls), self._width))
        which = np.zeros(len(calls), np.int64)
        for i, call in enumerate(calls):
            cycles[i], row = _row(call, self.linear)
            number = self._ensemble_index.get(family(call))
            if number is not None:
                which[i] = number
                x[i, : len(row)] = row
        factors: Vector = np.exp(self._ensembles.predict(x, which)) * cycles
        return factors


def _row(call: Call, linear: OperatorLinear) -> tuple[float, list[float]]:
    """The linear model's cycles; the features, and the share of each term in those cycles."""
    weights = linear.weights.get(family(call))
    if weights is None:
        return linear.one(call), []
    terms = cost_terms(call, linear.profile)
    parts = [weight * count for weight, count in zip(weights, terms, strict=True)]
    cycles = max(sum(parts), 1.0)
    return cycles, [*features(call, linear.profile), *[part / cycles for part in parts]]


FEATURES = (
    "log pixels",
    "log input channels",
    "log output channels",
    "log taps",
    "log inputs",
    "log outputs",
    "log weights",
    "log products",
    "input channels mod 4",
    "output channels mod 4",
    "taps mod 16",
    "filter rows",
    "filter columns",
    "stride",
    "dilation",
    "clipped share",
    "clamped",
    "first",
    "pixels at once",
    "log patch",
    "log slow patch",
    "log slow window",
    "log slow input",
    "log slow output",
    "slow scratch",
    "log output row",
)
_CHANNELS_AT_ONCE, _TAPS_AT_ONCE = 4, 16


@functools.lru_cache(maxsize=1 << 16)
def features(call: Call, profile: KernelProfile) -> tuple[float, ...]:
    """Values in the order of ``FEATURES``; logarithms are of base 2."""
    kernel, placement = call.kernel, call.placement
    at_once = pixels_at_once(call, profile)
    patch, slow = patch_bytes(kernel) * at_once, slow_patches(call, at_once)
    return (
        _log(kernel.pixels),
        _log(kernel.input[2]),
        _log(kernel.output[2]),
        _log(kernel.taps),
        _log(kernel.inputs),
        _log(kernel.outputs),
        _log(kernel.weights),
        _log(kernel.macs),
        kernel.input[2] % _CHANNELS_AT_ONCE,
        kernel.output[2] % _CHANNELS_AT_ONCE,
        kernel.taps % _TAPS_AT_ONCE,
        kernel.filter[0],
        kernel.filter[1],
        kernel.stride[0] * kernel.stride[1],
        kernel.dilation[0] * kernel.dilation[1],
        kernel.window.clipped_pixels / kernel.pixels,
        float(kernel.activation is not Activation.NONE),
        float(kernel.first),
        at_once,
        _log(patch),
        _log(patch * slow),
        _log(kernel.taps * placement.slow_input),
        _log(kernel.inputs * placement.slow_input),
        _log(kernel.outputs * placement.slow_output),
        slow,
        _log(kernel.output[1]),
    )


def _log(value: float) -> float:
    return math.log2(1.0 + value)
