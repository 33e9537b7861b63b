# SPDX-License-Identifier: Apache-2.0
"""Morphisms: the single-step changes of a convolutional architecture.

The list is μNAS's. ``morphs`` names every change that a parent allows; ``random_morph`` draws one
of them uniformly and makes it. Random genes of a change (a new layer's, say) are drawn when it is
made.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    GeneChange,
    Morph,
    MorphKind,
    block_morphs,
    common_changes,
    dense_morphs,
    fixed,
    layer_morphs,
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
    result = list(_block_morphs(parent, space))
    for i in range(len(parent.blocks)):
        result += _layers_morphs(parent, space, i)
    return [*result, *_pooling_morphs(parent, space), *_dense_morphs(parent, space)]


def _block_morphs(parent: CnnArchitecture, space: CnnSpace) -> Iterator[Morph[CnnArchitecture]]:
    def rewired(i: int) -> Iterator[Morph[CnnArchitecture]]:
        if i > 0:
            yield fixed(MorphKind.TOGGLE_PARALLEL, partial(_toggle_parallel, parent, i))

    return block_morphs(
        [len(block.layers) for block in parent.blocks],
        space.blocks,
        partial(_without_block, parent),
        partial(_with_block, parent=parent, space=space),
        rewired,
    )


def _layers_morphs(
    parent: CnnArchitecture, space: CnnSpace, i: int
) -> Iterator[Morph[CnnArchitecture]]:
    """Of one block: how many layers, and each of them."""
    layers = parent.blocks[i].layers

    def rebuild(layers: tuple[ConvLayer, ...]) -> CnnArchitecture:
        return _with(parent, i, replace(parent.blocks[i], layers=layers))

    def draw(rng: np.random.Generator, kind: LayerType | None = None) -> ConvLayer:
        return random_layer(rng, space, kind)

    # Every place can come, behind the last layer too: the reference never appends.
    kinds = (MorphKind.REMOVE_LAYER, MorphKind.INSERT_LAYER)
    yield from list_morphs(layers, space.layers, kinds, draw, rebuild, append=False)
    for j, layer in enumerate(layers):
        changes = _gene_changes(layer, space)
        yield from layer_morphs(layers, j, space.layer_types, draw, changes, rebuild)


def _gene_changes(layer: ConvLayer, space: CnnSpace) -> Iterator[GeneChange[ConvLayer]]:
    """Changes of a single gene of a layer."""
    other = partial(replace, layer)
    yield from common_changes(layer, other, space.filters)
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
