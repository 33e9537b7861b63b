# SPDX-License-Identifier: Apache-2.0
"""What a morphism is, and the morphisms that several spaces have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Generic, TypeVar

import numpy as np

from unas.architecture import DenseLayer
from unas.space.ranges import IntRange

_A = TypeVar("_A", covariant=True)
_L = TypeVar("_L")
_N = TypeVar("_N")

COUNT_STEPS = (-5, -3, -1, 1, 3, 5)


class MorphKind(StrEnum):
    """What a morphism changes."""

    REMOVE_BLOCK = "remove block"
    ADD_BLOCK = "add block"
    TOGGLE_PARALLEL = "toggle parallel"
    CHANGE_CONNECTION = "change connection"
    REMOVE_LAYER = "remove layer"
    INSERT_LAYER = "insert layer"
    TOGGLE_BATCH_NORM = "toggle batch norm"
    TOGGLE_RELU = "toggle ReLU"
    TOGGLE_PREPOOL = "toggle prepool"
    CHANGE_TYPE = "change layer type"
    CHANGE_FILTERS = "change filters"
    CHANGE_KERNEL = "change kernel size"
    TOGGLE_STRIDE = "toggle stride"
    TOGGLE_PADDING = "toggle padding"
    TOGGLE_POOLING = "toggle pooling"
    CHANGE_POOLING_KIND = "change pooling kind"
    CHANGE_POOLING_SIZE = "change pooling size"
    REMOVE_DENSE = "remove dense layer"
    ADD_DENSE = "add dense layer"
    CHANGE_UNITS = "change units"


@dataclass(frozen=True, slots=True)
class Morph(Generic[_A]):
    """One change of one parent.

    Attributes:
        kind: What it changes.
        apply: Makes the changed architecture; the parent stays as it is.
    """

    kind: MorphKind
    apply: Callable[[np.random.Generator], _A]


def fixed(kind: MorphKind, make: Callable[[], _N]) -> Morph[_N]:
    """A morph without random genes. It makes the child when asked: most are never drawn."""
    return Morph(kind, lambda rng: make())


def neighbours(value: int, allowed: tuple[int, ...]) -> tuple[int, ...]:
    """The next smaller and the next larger of the allowed values, as far as there are any."""
    smaller = [x for x in allowed if x < value]
    larger = [x for x in allowed if x > value]
    return (*smaller[-1:], *larger[:1])


def list_morphs(
    items: tuple[_L, ...],
    allowed: IntRange,
    kinds: tuple[MorphKind, MorphKind],
    draw: Callable[[np.random.Generator], _L],
    rebuild: Callable[[tuple[_L, ...]], _N],
    *,
    append: bool,
) -> Iterator[Morph[_N]]:
    """Removal of a random item, and a random new one, as far as their number allows it.

    Args:
        items: Of the parent.
        allowed: How many there may be.
        kinds: Of the removal and of the addition.
        draw: Makes a random item.
        rebuild: The architecture with other items.
        append: True: a new one comes last. False: at a random place, drawn before the item.
    """
    count = len(items)

    def remove(rng: np.random.Generator) -> _N:
        i = int(rng.integers(count))
        return rebuild(items[:i] + items[i + 1 :])

    def add(rng: np.random.Generator) -> _N:
        i = count if append else int(rng.integers(count, endpoint=True))
        return rebuild((*items[:i], draw(rng), *items[i:]))

    if count - 1 in allowed:
        yield Morph(kinds[0], remove)
    if count + 1 in allowed:
        yield Morph(kinds[1], add)


def dense_morphs(
    layers: tuple[DenseLayer, ...],
    counts: IntRange,
    units: IntRange,
    rebuild: Callable[[tuple[DenseLayer, ...]], _N],
    steps: Sequence[int] = COUNT_STEPS,
) -> Iterator[Morph[_N]]:
    """Changes of the hidden dense layers: one less, one more at the end, units by a step."""

    def draw(rng: np.random.Generator) -> DenseLayer:
        return DenseLayer(units.draw(rng))

    kinds = (MorphKind.REMOVE_DENSE, MorphKind.ADD_DENSE)
    yield from list_morphs(layers, counts, kinds, draw, rebuild, append=True)
    for i, layer in enumerate(layers):
        for size in (layer.units + step for step in steps):
            if size in units:
                changed = (*layers[:i], DenseLayer(size), *layers[i + 1 :])
                yield fixed(MorphKind.CHANGE_UNITS, partial(rebuild, changed))
