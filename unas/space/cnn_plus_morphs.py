# SPDX-License-Identifier: Apache-2.0
"""Morphisms of ``cnn+``: μNAS's single-step changes, and those of the genes it has not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from unas.architecture import (
    CnnPlusArchitecture,
    Connection,
    DenseLayer,
    FinalPooling,
    FinalPoolingKind,
    LayerType,
    PlusBlock,
    PlusLayer,
)
from unas.space.cnn_plus import (
    CNN_PLUS_SPACE,
    CnnPlusSpace,
    random_connection,
    random_final_pooling,
    random_plus_layer,
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
from unas.space.ranges import draw_choice

PlusMorphs = Iterator[Morph[CnnPlusArchitecture]]


def cnn_plus_morphs(
    parent: CnnPlusArchitecture, space: CnnPlusSpace = CNN_PLUS_SPACE
) -> list[Morph[CnnPlusArchitecture]]:
    """All morphisms of a parent that stay in the space, in a fixed order."""

    def with_dense(layers: tuple[DenseLayer, ...]) -> CnnPlusArchitecture:
        return replace(parent, dense=layers)

    result = list(_block_morphs(parent, space))
    for i in range(len(parent.blocks)):
        result += _layers_morphs(parent, space, i)
    result += _pooling_morphs(parent, space)
    return [*result, *dense_morphs(parent.dense, space.dense_layers, space.units, with_dense)]


def _block_morphs(parent: CnnPlusArchitecture, space: CnnPlusSpace) -> PlusMorphs:
    def rewired(i: int) -> PlusMorphs:
        block = parent.blocks[i]
        for connection in space.connections:
            if i > 0 and connection is not block.connection:
                other = replace(block, connection=connection)
                yield fixed(MorphKind.CHANGE_CONNECTION, partial(_with, parent, i, other))

    return block_morphs(
        [len(block.layers) for block in parent.blocks],
        space.blocks,
        partial(_without_block, parent),
        partial(_with_block, parent=parent, space=space),
        rewired,
    )


def _layers_morphs(parent: CnnPlusArchitecture, space: CnnPlusSpace, i: int) -> PlusMorphs:
    """Of one block: how many layers, and each of them."""
    layers = parent.blocks[i].layers

    def rebuild(layers: tuple[PlusLayer, ...]) -> CnnPlusArchitecture:
        return _with(parent, i, replace(parent.blocks[i], layers=layers))

    def draw(rng: np.random.Generator, kind: LayerType | None = None) -> PlusLayer:
        return random_plus_layer(rng, space, kind)

    kinds = (MorphKind.REMOVE_LAYER, MorphKind.INSERT_LAYER)
    yield from list_morphs(layers, space.layers, kinds, draw, rebuild, append=False)
    for j, layer in enumerate(layers):
        changes = _gene_changes(layer, space)
        yield from layer_morphs(layers, j, space.layer_types, draw, changes, rebuild)


def _gene_changes(layer: PlusLayer, space: CnnPlusSpace) -> Iterator[GeneChange[PlusLayer]]:
    """Changes of a single gene of a layer; height and width of a window are one gene."""
    other = partial(replace, layer)
    yield from common_changes(layer, other, space.filters)
    if layer.type is LayerType.POINTWISE:
        return
    for height, width in _next_kernels(layer, space):
        yield MorphKind.CHANGE_KERNEL, partial(other, kernel_h=height, kernel_w=width)
    for down, right in space.strides(layer.type):
        if (down, right) != (layer.stride_h, layer.stride_w):
            yield MorphKind.TOGGLE_STRIDE, partial(other, stride_h=down, stride_w=right)
    for padding in space.paddings:
        if padding is not layer.padding:
            yield MorphKind.TOGGLE_PADDING, partial(other, padding=padding)


def _next_kernels(layer: PlusLayer, space: CnnPlusSpace) -> list[tuple[int, int]]:
    """One side a step shorter or longer, or both sides a step in the same direction."""
    height, width = layer.kernel_h, layer.kernel_w
    heights = neighbours(height, space.kernel_heights)
    widths = neighbours(width, space.kernel_widths)
    pairs = [(h, width) for h in heights] + [(height, w) for w in widths]
    pairs += [(h, w) for h in heights for w in widths if (h > height) == (w > width)]
    return [pair for pair in pairs if pair != (1, 1)]


def _pooling_morphs(parent: CnnPlusArchitecture, space: CnnPlusSpace) -> PlusMorphs:
    pooling = parent.pooling

    def rekinded(kind: FinalPoolingKind) -> Callable[[np.random.Generator], CnnPlusArchitecture]:
        def apply(rng: np.random.Generator) -> CnnPlusArchitecture:
            size = pooling.size if pooling is not None else None
            if kind is FinalPoolingKind.GLOBAL_AVERAGE:
                size = None
            elif size is None:
                size = draw_choice(rng, space.pooling_sizes)
            return replace(parent, pooling=FinalPooling(kind, size))

        return apply

    if pooling is None:
        yield Morph(
            MorphKind.TOGGLE_POOLING,
            lambda rng: replace(parent, pooling=random_final_pooling(rng, space)),
        )
        return
    yield fixed(MorphKind.TOGGLE_POOLING, partial(replace, parent, pooling=None))
    for kind in space.pooling_kinds:
        if kind is not pooling.kind:
            yield Morph(MorphKind.CHANGE_POOLING_KIND, rekinded(kind))
    if pooling.size is not None:
        for size in neighbours(pooling.size, space.pooling_sizes):
            new = FinalPooling(pooling.kind, size)
            yield fixed(MorphKind.CHANGE_POOLING_SIZE, partial(replace, parent, pooling=new))


def _with(parent: CnnPlusArchitecture, i: int, block: PlusBlock) -> CnnPlusArchitecture:
    return replace(parent, blocks=(*parent.blocks[:i], block, *parent.blocks[i + 1 :]))


def _without_block(parent: CnnPlusArchitecture, i: int) -> CnnPlusArchitecture:
    """Without one block; a branch takes the place of the block that it was parallel to."""
    blocks = list(parent.blocks)
    removed = blocks.pop(i)
    if i < len(blocks) and blocks[i].connection is Connection.PARALLEL:
        blocks[i] = replace(blocks[i], connection=removed.connection)
    blocks[0] = replace(blocks[0], connection=Connection.SERIAL)
    return replace(parent, blocks=tuple(blocks))


def _with_block(
    rng: np.random.Generator, parent: CnnPlusArchitecture, space: CnnPlusSpace
) -> CnnPlusArchitecture:
    """With one more block at the end, of one layer."""
    block = PlusBlock(random_connection(rng, space), (random_plus_layer(rng, space),))
    return replace(parent, blocks=(*parent.blocks, block))
