# SPDX-License-Identifier: Apache-2.0
"""Morphisms: the single-step changes of a convolutional architecture.

The list is μNAS's. ``morphs`` names every change that a parent allows; ``random_morph`` draws one
of them uniformly and makes it. Random genes of a change (a new layer's, say) are drawn when it is
made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from unas.architecture import (
    CnnArchitecture,
    ConvBlock,
    ConvLayer,
    DenseLayer,
    LayerType,
    Pooling,
)
from unas.space.cnn import (
    CNN_SPACE,
    CnnSpace,
    random_layer,
    random_pooling,
)
from unas.space.morph_parts import (
    COUNT_STEPS,
    Morph,
    MorphKind,
    dense_morphs,
    fixed,
    list_morphs,
    neighbours,
)
from unas.space.ranges import draw_flag

__all__ = ["Morph", "MorphKind", "morphs", "random_morph"]


def random_morph(
    rng: np.random.Generator, parent: CnnArchitecture, space: CnnSpace = CNN_SPACE
) -> CnnArchitecture:
    """A child that differs from its parent by one uniformly drawn morphism."""
    choices = morphs(parent, space)
    return choices[int(rng.integers(len(choices)))].apply(rng)


def morphs(parent: CnnArchitecture, space: CnnSpace = CNN_SPACE) -> list[Morph[CnnArchitecture]]:
    """All morphisms of a parent that stay in the space, in a fixed order."""
    found = list(_block_morphs(parent, space))
    for i, block in enumerate(parent.blocks):
        found += _layer_count_morphs(parent, space, i)
        for j in range(len(block.layers)):
            found += _layer_morphs(parent, space, i, j)
    return [*found, *_pooling_morphs(parent, space), *_dense_morphs(parent, space)]


def _block_morphs(parent: CnnArchitecture, space: CnnSpace) -> Iterator[Morph[CnnArchitecture]]:
    count = len(parent.blocks)
    if count - 1 in space.blocks:
        yield Morph(
            MorphKind.REMOVE_BLOCK, lambda rng: _without_block(parent, int(rng.integers(count)))
        )
    if count + 1 in space.blocks:
        yield Morph(MorphKind.ADD_BLOCK, lambda rng: _with_block(rng, parent, space))
    for i, block in enumerate(parent.blocks):
        if i > 0:
            yield fixed(MorphKind.TOGGLE_PARALLEL, partial(_toggle_parallel, parent, i))
        if len(block.layers) == 1 and count - 1 in space.blocks:
            yield fixed(MorphKind.REMOVE_BLOCK, partial(_without_block, parent, i))


def _layer_count_morphs(
    parent: CnnArchitecture, space: CnnSpace, i: int
) -> Iterator[Morph[CnnArchitecture]]:
    block = parent.blocks[i]

    def rebuild(layers: tuple[ConvLayer, ...]) -> CnnArchitecture:
        return _with(parent, i, replace(block, layers=layers))

    # Every place can come, behind the last layer too: the reference never appends.
    kinds = (MorphKind.REMOVE_LAYER, MorphKind.INSERT_LAYER)
    draw = partial(random_layer, space=space)
    return list_morphs(block.layers, space.layers, kinds, draw, rebuild, append=False)


def _layer_morphs(
    parent: CnnArchitecture, space: CnnSpace, i: int, j: int
) -> Iterator[Morph[CnnArchitecture]]:
    block = parent.blocks[i]
    layer = block.layers[j]

    def changed(new: ConvLayer) -> CnnArchitecture:
        layers = (*block.layers[:j], new, *block.layers[j + 1 :])
        return _with(parent, i, replace(block, layers=layers))

    def retyped(kind: LayerType) -> Callable[[np.random.Generator], CnnArchitecture]:
        return lambda rng: changed(random_layer(rng, space, kind))

    def regened(make: Callable[[], ConvLayer]) -> Callable[[], CnnArchitecture]:
        return lambda: changed(make())

    for kind in space.layer_types:
        if kind is not layer.type:
            yield Morph(MorphKind.CHANGE_TYPE, retyped(kind))
    for morph, make in _gene_changes(layer, space):
        yield fixed(morph, regened(make))


def _gene_changes(
    layer: ConvLayer, space: CnnSpace
) -> Iterator[tuple[MorphKind, Callable[[], ConvLayer]]]:
    """Changes of a single gene of a layer."""
    other = partial(replace, layer)
    yield MorphKind.TOGGLE_BATCH_NORM, partial(other, batch_norm=not layer.batch_norm)
    yield MorphKind.TOGGLE_RELU, partial(other, relu=not layer.relu)
    yield MorphKind.TOGGLE_PREPOOL, partial(other, prepool=not layer.prepool)
    if layer.filters is not None:
        for filters in (layer.filters + step for step in COUNT_STEPS):
            if filters in space.filters:
                yield MorphKind.CHANGE_FILTERS, partial(other, filters=filters)
    if layer.type is not LayerType.POINTWISE:
        for size in neighbours(layer.kernel_size, space.kernel_sizes):
            yield MorphKind.CHANGE_KERNEL, partial(other, kernel_size=size)
        for stride in space.strides:
            if stride != layer.stride:
                yield MorphKind.TOGGLE_STRIDE, partial(other, stride=stride)


def _pooling_morphs(parent: CnnArchitecture, space: CnnSpace) -> Iterator[Morph[CnnArchitecture]]:
    pooling = parent.pooling
    if pooling is None:
        yield Morph(
            MorphKind.TOGGLE_POOLING,
            lambda rng: replace(parent, pooling=random_pooling(rng, space)),
        )
        return
    yield fixed(MorphKind.TOGGLE_POOLING, partial(replace, parent, pooling=None))
    for kind in space.pooling_kinds:
        if kind is not pooling.kind:
            new = Pooling(kind, pooling.size)
            yield fixed(MorphKind.CHANGE_POOLING_KIND, partial(replace, parent, pooling=new))
    for size in neighbours(pooling.size, space.pooling_sizes):
        new = Pooling(pooling.kind, size)
        yield fixed(MorphKind.CHANGE_POOLING_SIZE, partial(replace, parent, pooling=new))


def _dense_morphs(parent: CnnArchitecture, space: CnnSpace) -> Iterator[Morph[CnnArchitecture]]:
    def rebuild(layers: tuple[DenseLayer, ...]) -> CnnArchitecture:
        return replace(parent, dense=layers)

    return dense_morphs(parent.dense, space.dense_layers, space.units, rebuild)


def _toggle_parallel(parent: CnnArchitecture, i: int) -> CnnArchitecture:
    block = parent.blocks[i]
    return _with(parent, i, replace(block, parallel=not block.parallel))


def _with(parent: CnnArchitecture, i: int, block: ConvBlock) -> CnnArchitecture:
    return replace(parent, blocks=(*parent.blocks[:i], block, *parent.blocks[i + 1 :]))


def _without_block(parent: CnnArchitecture, i: int) -> CnnArchitecture:
    """Without one block; a branch does not outlive the serial block it was parallel to."""
    blocks = list(parent.blocks)
    removed = blocks.pop(i)
    if not removed.parallel and i < len(blocks):
        blocks[i] = replace(blocks[i], parallel=False)
    return replace(parent, blocks=tuple(blocks))


def _with_block(
    rng: np.random.Generator, parent: CnnArchitecture, space: CnnSpace
) -> CnnArchitecture:
    """With one more block at the end, of one layer."""
    parallel = draw_flag(rng, space.p_parallel)
    block = ConvBlock(parallel, (random_layer(rng, space),))
    return replace(parent, blocks=(*parent.blocks, block))
