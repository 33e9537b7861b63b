# SPDX-License-Identifier: Apache-2.0
"""The linear model, and trees that learn by what factor it is wrong.

What a tree may split on: the shape of a kernel, its place, and how the runtime blocks it.
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
    far_patches,
    patch_bytes,
    pixels_at_once,
)
from unas.cost.tree_ensembles import BoostingParams, StackedEnsembles, TreeEnsemble, fit_ensemble
from unas.cost.types import KernelProfile, Sample
from unas.errors import StoreError
from unas.graph import Activation

Vector = npt.NDArray[np.float64]
# Trees from fewer points would learn the points.
_FEWEST = 30
_MOST_KNOWN = 1 << 16


@dataclass(frozen=True, slots=True)
class Boosted:
    """Cost terms times exp(trees).

    Attributes:
        linear: What the trees correct.
        trees: Logarithm of the factor, by family; families with few points have none.
    """

    linear: OperatorLinear
    trees: Mapping[str, TreeEnsemble]
    _numbers: dict[str, int] = field(init=False, repr=False, compare=False)
    _grove: StackedEnsembles = field(init=False, repr=False, compare=False)
    _width: int = field(init=False, repr=False, compare=False)
    # A search asks for the same operators again and again.
    _known: dict[Call, float] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        names = sorted(self.trees)
        none = TreeEnsemble.nothing()  # number 0: for families without trees
        object.__setattr__(self, "_numbers", {name: i for i, name in enumerate(names, start=1)})
        object.__setattr__(
            self, "_grove", StackedEnsembles([none, *(self.trees[name] for name in names)])
        )
        terms = max((len(weights) for weights in self.linear.weights.values()), default=0)
        object.__setattr__(self, "_width", len(FEATURES) + terms)

    @classmethod
    def fit(
        cls,
        samples: Sequence[Sample],
        traits: KernelProfile,
        growth: BoostingParams | None = None,
        seed: int = 0,
    ) -> Boosted:
        """Fit the terms, then trees to the logarithm of what is left.

        Args:
            samples: With cycles per operator.
            traits: Of board and runtime.
            growth: How the trees are grown.
            seed: Draws the points of each tree.

        Raises:
            StoreError: No sample has cycles per operator.
        """
        linear = OperatorLinear.fit(samples, traits)
        groups: dict[str, list[tuple[Call, float]]] = {}
        for call, cycles in operator_points(samples):
            groups.setdefault(family(call), []).append((call, cycles))
        trees = {}
        for name, points in sorted(groups.items()):
            if len(points) < _FEWEST:
                continue
            calls = [call for call, _ in points]
            found = np.array([cycles for _, cycles in points])
            left = np.log(found / linear.operators(calls))
            x = np.array([_row(call, linear)[1] for call in calls])
            trees[name] = fit_ensemble(x, left, growth or BoostingParams(), seed)
        return cls(linear, trees)

    def to_json_dict(self) -> dict[str, Any]:
        """As JSON types."""
        trees = {name: one.to_json_dict() for name, one in self.trees.items()}
        return self.linear.to_json_dict() | {"trees": trees}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any], traits: KernelProfile) -> Boosted:
        """From ``to_json_dict``'s result.

        Raises:
            StoreError: Something is missing or does not fit together.
        """
        linear = OperatorLinear.from_json_dict(data, traits)
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
        new = [call for call in dict.fromkeys(calls) if call not in self._known]
        if new:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            self._known.update(zip(new, self._predict(new).tolist(), strict=True))
        return np.array([self._known[call] for call in calls])

    def _predict(self, calls: Sequence[Call]) -> Vector:
        cycles, x = np.empty(len(calls)), np.zeros((len(calls), self._width))
        which = np.zeros(len(calls), np.int64)
        for i, call in enumerate(calls):
            cycles[i], row = _row(call, self.linear)
            number = self._numbers.get(family(call))
            if number is not None:
                which[i] = number
                x[i, : len(row)] = row
        factors: Vector = np.exp(self._grove.predict(x, which)) * cycles
        return factors


def _row(call: Call, linear: OperatorLinear) -> tuple[float, list[float]]:
    """The linear model's cycles; features, and what share each term has in those cycles."""
    weights = linear.weights.get(family(call))
    if weights is None:
        return linear.one(call), []
    terms = cost_terms(call, linear.traits)
    parts = [weight * count for weight, count in zip(weights, terms, strict=True)]
    cycles = max(sum(parts), 1.0)
    return cycles, [*features(call, linear.traits), *[part / cycles for part in parts]]


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
    "log far patch",
    "log far window",
    "log far input",
    "log far output",
    "far scratch",
    "log output row",
)
_CHANNELS_AT_ONCE, _TAPS_AT_ONCE = 4, 16


@functools.lru_cache(maxsize=1 << 16)
def features(call: Call, traits: KernelProfile) -> tuple[float, ...]:
    """Values in the order of ``FEATURES``; logarithms are of base 2."""
    kernel, place = call.kernel, call.place
    at_once = pixels_at_once(call, traits)
    patch, far = patch_bytes(kernel) * at_once, far_patches(call, at_once)
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
        _log(patch * far),
        _log(kernel.taps * place.far_input),
        _log(kernel.inputs * place.far_input),
        _log(kernel.outputs * place.far_output),
        far,
        _log(kernel.output[1]),
    )


def _log(value: float) -> float:
    return math.log2(1.0 + value)
