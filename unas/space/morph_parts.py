# SPDX-License-Identifier: Apache-2.0
"""What a morphism is, and the morphisms that several spaces have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Generic, Protocol, TypeVar

import numpy as np

from unas.architecture import DenseLayer, LayerType
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


class _ConvGenes(Protocol):
    """What convolutional layers of every space have."""

    @property
    def type(self) -> LayerType: ...
    @property
    def filters(self) -> int | None: ...
    @property
    def prepool(self) -> bool: ...
    @property
    def batch_norm(self) -> bool: ...
    @property
    def relu(self) -> bool: ...


_C = TypeVar("_C", bound=_ConvGenes)
GeneChange = tuple[MorphKind, Callable[[], _C]]


def block_morphs(
    layer_counts: Sequence[int],
    allowed: IntRange,
    without: Callable[[int], _N],
    longer: Callable[[np.random.Generator], _N],
    rewired: Callable[[int], Iterable[Morph[_N]]],
) -> Iterator[Morph[_N]]:
    """A random block less, one more; each block connected otherwise, or removed if of one layer.

    Args:
        layer_counts: Layers of each block of the parent.
        allowed: How many blocks there may be.
        without: The architecture without one of them.
        longer: With one more.
        rewired: Morphs of how a block is connected.
    """
    count = len(layer_counts)
    if count - 1 in allowed:
        yield Morph(MorphKind.REMOVE_BLOCK, lambda rng: without(int(rng.integers(count))))
    if count + 1 in allowed:
        yield Morph(MorphKind.ADD_BLOCK, longer)
    for i, layers in enumerate(layer_counts):
        yield from rewired(i)
        if layers == 1 and count - 1 in allowed:
            yield fixed(MorphKind.REMOVE_BLOCK, partial(without, i))


def layer_morphs(
    layers: tuple[_C, ...],
    j: int,
    types: Sequence[LayerType],
    draw: Callable[[np.random.Generator, LayerType], _C],
    changes: Iterable[GeneChange[_C]],
    rebuild: Callable[[tuple[_C, ...]], _N],
) -> Iterator[Morph[_N]]:
    """Another type for one layer of a block, its other genes drawn anew; changes of single genes.

    Args:
        layers: Of the block.
        j: Which one.
        types: That the space has.
        draw: Makes a random layer of a type.
        changes: Of the layer's genes.
        rebuild: The architecture with other layers in the block.
    """

    def changed(new: _C) -> _N:
        return rebuild((*layers[:j], new, *layers[j + 1 :]))

    def retyped(kind: LayerType) -> Callable[[np.random.Generator], _N]:
        return lambda rng: changed(draw(rng, kind))

    def regened(make: Callable[[], _C]) -> Callable[[], _N]:
        return lambda: changed(make())

    for kind in types:
        if kind is not layers[j].type:
            yield Morph(MorphKind.CHANGE_TYPE, retyped(kind))
    for morph, make in changes:
        yield fixed(morph, regened(make))


def common_changes(
    layer: _C, other: Callable[..., _C], filters: IntRange
) -> Iterator[GeneChange[_C]]:
    """Changes of the genes that all convolutional layers have; ``other`` replaces genes."""
    yield MorphKind.TOGGLE_BATCH_NORM, partial(other, batch_norm=not layer.batch_norm)
    yield MorphKind.TOGGLE_RELU, partial(other, relu=not layer.relu)
    yield MorphKind.TOGGLE_PREPOOL, partial(other, prepool=not layer.prepool)
    if layer.filters is not None:
        for count in (layer.filters + step for step in COUNT_STEPS):
            if count in filters:
                yield MorphKind.CHANGE_FILTERS, partial(other, filters=count)


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
